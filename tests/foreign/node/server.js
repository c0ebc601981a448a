// Both services of OSCP 1.0 as node soap hosts them, in the order and spelling that came naturally to their author.
// Prints the port; ends with its standard input.
'use strict';

const fs = require('node:fs');
const https = require('node:https');
const { randomUUID } = require('node:crypto');
const soap = require('soap');
const { WSA, env, many } = require('./script.js');

const amount = (value) => ({ attributes: { Unit: 'A' }, $value: value });
const success = (Message) => ({ Details: { Detail: [{ Level: 'Info', Code: 'OK', Message }] }, Type: 'Success' });

const csp = {
  Heartbeat: ({ HeartBeatTimeInterval }) => ({
    Result: success(`every ${HeartBeatTimeInterval} s`),
    CurrentTime: new Date().toISOString(),
  }),
  UpdateCableCapacityForecast: ({ Forecast }) => {
    const [{ Cable, ForecastedBlock }] = many(Forecast);
    const { StartTime, Capacity } = ForecastedBlock[0];
    const first = `${StartTime.toISOString()} ${many(Capacity)[0].$value} ${many(Capacity)[0].attributes.Unit}`;
    return { Result: success(`${Cable.CableId} ${ForecastedBlock.length} ${first}`) };
  },
};

const dso = {
  GetCapacityForecast: (asked) => {
    const cables = many(asked?.Cable).map(({ CableId }) => CableId);
    if (cables.includes('broken')) throw new Error('out of order');
    if (cables.includes('bad')) {
      throw { Fault: { Code: { Value: 'soap:Sender' }, Reason: { Text: 'no such thing' }, statusCode: 500 } };
    }
    return { Result: success(cables.join(' ')) };
  },
  RequestAdjustedCapacity: ({ Adjustment }) => ({
    Result: {
      Type: 'failed',
      Details: { Detail: { Code: 'NO_CAPACITY', Level: 'WARN', Message: 'half of it' } },
    },
    Adjustment: many(Adjustment).map(({ Cable, CapacityBlock }) => ({
      CapacityBlock: many(CapacityBlock).map(({ StartTime, EndTime, Capacity }) => ({
        EndTime: EndTime.toISOString(),
        StartTime: StartTime.toISOString(),
        RemainingCapacity: amount(0),
        Capacity: amount(many(Capacity)[0].$value / 2),
      })),
      Cable,
    })),
  }),
  UpdateAggregatedUsage: ({ Usage }) => {
    const [{ UsageBlock }] = many(Usage);
    const values = many(many(UsageBlock)[0].Usage);
    const told = values.map((one) => `${one.$value} ${one.attributes.Unit} ${one.attributes.Phase}`);
    return { Result: success(told.join(', ')) };
  },
};

const tls = {
  cert: fs.readFileSync(env.OSCP_CERT),
  key: fs.readFileSync(env.OSCP_KEY),
  ca: fs.readFileSync(env.OSCP_CA),
  requestCert: true,
  rejectUnauthorized: true,
};

const server = https.createServer(tls, (_, response) => response.writeHead(404).end());

function host(name, namespace, service, handlers, ready) {
  const listening = soap.listen(server, {
    path: `/${name}`,
    services: { [service]: { [`${service}Soap12`]: handlers } },
    xml: fs.readFileSync(`${env.OSCP_WSDL}/${name}.wsdl`, 'utf8'),
    uri: `${env.OSCP_WSDL}/${name}.wsdl`,
    forceSoap12Headers: true,
    suppressStack: true,
    callback: ready,
  });
  listening.addSoapHeader((operation, _, heard) => {
    const id = heard.MessageID.$value ?? heard.MessageID;
    const { senderID, receiverID } = heard.Parties;
    return (
      `<a:Action xmlns:a="${WSA}">/${operation}Response</a:Action>` +
      `<a:MessageID xmlns:a="${WSA}">${randomUUID()}</a:MessageID><a:RelatesTo xmlns:a="${WSA}">${id}</a:RelatesTo>` +
      `<Parties xmlns="${namespace}"><receiverID>${senderID}</receiverID><senderID>${receiverID}</senderID></Parties>` +
      `<DateTime xmlns="${namespace}">${new Date().toISOString()}</DateTime>`
    );
  });
}

async function main() {
  await new Promise((ready) => host('csp', 'http://OSCP/CSP/2013/06/', 'ChargeServiceProviderServiceV10', csp, ready));
  await new Promise((ready) => host('dso', 'http://OSCP/DSO/2013/06/', 'DistributionSystemOperatorServiceV10', dso, ready));
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

main();
process.stdin.on('end', () => process.exit()).resume();
