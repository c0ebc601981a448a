<?php
// Both services of OSCP 1.0 as ext-soap's SoapServer hosts them behind PHP's own web server, which knows no TLS.

const WSA = 'http://www.w3.org/2005/08/addressing';

function many(mixed $one): array
{
    return is_array($one) ? $one : [$one];
}

function success(string $message): array
{
    $detail = ['Code' => 'PROCESSED', 'Level' => 'INFO', 'Message' => $message];
    return ['Type' => 'SUCCESS', 'Details' => ['Detail' => $detail]];
}

class Office
{
    private string $asked = '';
    private ?object $parties = null;

    public function __construct(private SoapServer $server, private string $namespace)
    {
    }

    // ext-soap calls these for the header blocks of the same names.
    public function MessageID(string $id): void
    {
        $this->asked = $id;
    }

    public function Parties(object $parties): void
    {
        $this->parties = $parties;
    }

    private function address(string $operation): void
    {
        $parties = ['senderID' => $this->parties->receiverID, 'receiverID' => $this->parties->senderID];
        foreach ([
            new SoapHeader(WSA, 'Action', "/{$operation}Response"),
            new SoapHeader(WSA, 'RelatesTo', $this->asked),
            new SoapHeader($this->namespace, 'Parties', $parties),
            new SoapHeader($this->namespace, 'Priority', 0),
            new SoapHeader($this->namespace, 'DateTime', gmdate('Y-m-d\TH:i:s')),
        ] as $block) {
            $this->server->addSoapHeader($block);
        }
    }

    public function Heartbeat(object $body): array
    {
        $this->address('Heartbeat');
        return ['CurrentTime' => gmdate('c'), 'Result' => success("every $body->HeartBeatTimeInterval s")];
    }

    public function UpdateCableCapacityForecast(object $body): array
    {
        $this->address('UpdateCableCapacityForecast');
        $forecast = many($body->Forecast)[0];
        $blocks = many($forecast->ForecastedBlock);
        $capacity = many($blocks[0]->Capacity)[0];
        $told = [$forecast->Cable->CableId, count($blocks), $blocks[0]->StartTime, $capacity->_, $capacity->Unit];
        return ['Result' => success(implode(' ', $told))];
    }

    public function GetCapacityForecast(object $body): array
    {
        $this->address('GetCapacityForecast');
        $cables = array_map(fn(object $one): string => $one->CableId, many($body->Cable ?? []));
        if (in_array('broken', $cables)) {
            throw new SoapFault('Receiver', 'out of order');
        }
        if (in_array('bad', $cables)) {
            throw new SoapFault('Sender', 'no such thing');
        }
        return ['Result' => success(implode(' ', $cables))];
    }

    public function RequestAdjustedCapacity(object $body): array
    {
        $this->address('RequestAdjustedCapacity');
        $nothing = ['_' => '0', 'Unit' => 'A'];
        $adjustments = array_map(fn(object $asked): array => [
            'Cable' => $asked->Cable,
            'CapacityBlock' => array_map(fn(object $block): array => [
                'Capacity' => ['_' => many($block->Capacity)[0]->_ / 2, 'Unit' => 'A'],
                'StartTime' => $block->StartTime,
                'EndTime' => $block->EndTime,
                'RemainingCapacity' => $nothing,
            ], many($asked->CapacityBlock)),
        ], many($body->Adjustment));
        $detail = ['Code' => 'NO_CAPACITY', 'Level' => 'WARN', 'Message' => 'half of it'];
        return ['Adjustment' => $adjustments, 'Result' => ['Type' => 'FAILED', 'Details' => ['Detail' => $detail]]];
    }

    public function UpdateAggregatedUsage(object $body): array
    {
        $this->address('UpdateAggregatedUsage');
        $block = many(many($body->Usage)[0]->UsageBlock)[0];
        $told = array_map(fn(object $one): string => "$one->_ $one->Unit $one->Phase", many($block->Usage));
        return ['Result' => success(implode(', ', $told))];
    }
}

$name = trim(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH), '/');
$server = new SoapServer(getenv('OSCP_WSDL') . "/$name.wsdl", [
    'soap_version' => SOAP_1_2,
    'cache_wsdl' => WSDL_CACHE_NONE,
]);
$namespace = $name === 'csp' ? 'http://OSCP/CSP/2013/06/' : 'http://OSCP/DSO/2013/06/';
$server->setObject(new Office($server, $namespace));
$server->handle();
