// Calls one service of OSCP 1.0 with node soap.
'use strict';

const fs = require('node:fs');
const https = require('node:https');
const { randomUUID } = require('node:crypto');
const soap = require('soap');
const { WSA, env, tell, tellFault, steps } = require('./script.js');

const tls = {
  cert: fs.readFileSync(env.OSCP_CERT),
  key: fs.readFileSync(env.OSCP_KEY),
  ca: fs.readFileSync(env.OSCP_CA),
};
const amount = (value, Unit = 'A', Phase = undefined) => ({
  attributes: Phase === undefined ? { Unit } : { Unit, Phase },
  $value: value,
});
const reading = { word: (one) => one.$value, attribute: (one, name) => one.attributes[name] };

async function main() {
  const agent = new https.Agent({ ...tls, keepAlive: true });
  const client = await soap.createClientAsync(env.OSCP_WSDL, {
    forceSoap12Headers: env.OSCP_SOAP !== '1.1',
    wsdl_options: { httpsAgent: agent },
  });
  client.setSecurity(new soap.ClientSSLSecurity(tls.key, tls.cert, tls.ca, { keepAlive: true }));

  await steps(async (step, operation, body, { sender = env.OSCP_SENDER, nameless = false } = {}) => {
    client.clearSoapHeaders();
    const addressing = { Action: `/${operation}`, To: env.OSCP_URL };
    if (!nameless) addressing.MessageID = randomUUID();
    for (const [name, value] of Object.entries(addressing)) client.addSoapHeader({ [name]: value }, '', '', WSA);
    const oscp = {
      Parties: { senderID: sender, receiverID: env.OSCP_RECEIVER },
      Priority: 0,
      DateTime: new Date().toISOString(),
    };
    client.addSoapHeader(oscp, '', 'tns', env.OSCP_NAMESPACE);
    try {
      const [answer, , headers] = await client[`${operation}Async`](body);
      tell(step, answer, headers.Parties, reading);
    } catch (error) {
      tellFault(step, error);
    }
  }, amount);
  agent.destroy();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
