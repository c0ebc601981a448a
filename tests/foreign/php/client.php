<?php
// Calls one service of OSCP 1.0 with ext-soap and prints what it understood: step, name, value, one fact a line.

const WSA = 'http://www.w3.org/2005/08/addressing';

function say(string $step, string $name, string $value): void
{
    echo "$step\t$name\t", strtr($value, "\t\n", '  '), "\n";
}

function amount(string $value, string $unit = 'A', ?int $phase = null): array
{
    return ['_' => $value, 'Unit' => $unit] + ($phase === null ? [] : ['Phase' => $phase]);
}

function at(int $quarters): string
{
    return gmdate('Y-m-d\TH:i:s\Z', strtotime(getenv('OSCP_START')) + $quarters * 900);
}

function many(mixed $one): array
{
    return is_array($one) ? $one : [$one];
}

$tls = stream_context_create(['ssl' => [
    'local_cert' => getenv('OSCP_CERT'),
    'local_pk' => getenv('OSCP_KEY'),
    'cafile' => getenv('OSCP_CA'),
]]);
$client = new SoapClient(getenv('OSCP_WSDL'), [
    'soap_version' => getenv('OSCP_SOAP') === '1.1' ? SOAP_1_1 : SOAP_1_2,
    'stream_context' => $tls,
    'cache_wsdl' => WSDL_CACHE_NONE,
]);
$service = getenv('OSCP_NAMESPACE');

function call(string $step, string $operation, array $body, ?string $sender = null, bool $nameless = false): void
{
    global $client, $service;
    $id = vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex(random_bytes(16)), 4));
    $parties = ['senderID' => $sender ?? getenv('OSCP_SENDER'), 'receiverID' => getenv('OSCP_RECEIVER')];
    $headers = [
        new SoapHeader(WSA, 'Action', "/$operation"),
        new SoapHeader(WSA, 'To', getenv('OSCP_URL')),
        new SoapHeader($service, 'Parties', new SoapVar($parties, SOAP_ENC_OBJECT, 'PartiesType', $service)),
        new SoapHeader($service, 'Priority', 0),
        new SoapHeader($service, 'DateTime', gmdate('Y-m-d\TH:i:s\Z')),
    ];
    if (!$nameless) {
        $headers[] = new SoapHeader(WSA, 'MessageID', $id);
    }
    try {
        $answer = $client->__soapCall($operation, [$body], null, $headers, $heard);
    } catch (SoapFault $fault) {
        say($step, 'fault', preg_replace('/.*:/', '', $fault->faultcode));
        say($step, 'reason', $fault->getMessage());
        return;
    }
    say($step, 'from', $heard['Parties']->senderID);
    say($step, 'type', $answer->Result->Type);
    foreach (many($answer->Result->Details->Detail) as $detail) {
        say($step, 'detail', "$detail->Code $detail->Level $detail->Message");
    }
    if (isset($answer->CurrentTime)) {
        say($step, 'current', $answer->CurrentTime);
    }
    foreach (many($answer->Adjustment ?? []) as $adjustment) {
        foreach (many($adjustment->CapacityBlock) as $block) {
            say($step, 'block', "{$adjustment->Cable->CableId} $block->StartTime $block->EndTime");
            foreach (['Capacity' => 'granted', 'RemainingCapacity' => 'left'] as $name => $word) {
                foreach (many($block->$name ?? []) as $one) {
                    say($step, $word, "$one->_ $one->Unit " . ($one->Phase ?? '-'));
                }
            }
        }
    }
}

$cable = ['CableId' => getenv('OSCP_CABLE')];
$times = ['StartTime' => at(0), 'EndTime' => at(1)];
if ($service === 'http://OSCP/CSP/2013/06/') {
    $remaining = (object) amount('5.00'); // one object in all blocks: ext-soap writes it once and refers to it
    $blocks = array_map(fn(int $i): array => [
        'Capacity' => [amount('33.00', 'A', 1), amount('22.50', 'A', 2), amount('11.00', 'A', 3)],
        'StartTime' => at($i),
        'EndTime' => at($i + 1),
        'RemainingCapacity' => [$remaining],
    ], range(0, 95));
    call('forecast', 'UpdateCableCapacityForecast', ['Forecast' => [['Cable' => $cable, 'ForecastedBlock' => $blocks]]]);
    $beat = ['HeartBeatTimeInterval' => 300, 'ForecastTimeInterval' => 900];
    call('heartbeat', 'Heartbeat', $beat);
    call('stranger', 'Heartbeat', $beat, 'nobody');
    call('nameless', 'Heartbeat', $beat, null, true);
} else {
    call('forecasts', 'GetCapacityForecast', ['Cable' => [$cable]]);
    call('unknown', 'GetCapacityForecast', ['Cable' => [['CableId' => 'nowhere']]]);
    foreach (['giveback' => '-10.00', 'request' => '4000.00'] as $step => $ampere) {
        $block = ['Capacity' => [amount($ampere)]] + $times;
        call($step, 'RequestAdjustedCapacity', ['Adjustment' => [['Cable' => $cable, 'CapacityBlock' => [$block]]]]);
    }
    $usage = [];
    foreach ([1, 2, 3] as $phase) {
        array_push($usage, amount('460.00', 'Wh', $phase), amount('8.00', 'A', $phase));
    }
    $block = ['Usage' => $usage, 'StartTime' => at(-8), 'EndTime' => at(-7)];
    call('usage', 'UpdateAggregatedUsage', ['Usage' => [['Cable' => $cable, 'UsageBlock' => [$block]]]]);
    call('stranger', 'GetCapacityForecast', [], 'nobody');
    call('nameless', 'GetCapacityForecast', [], null, true);
}
