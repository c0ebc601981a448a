// Calls one service of OSCP 1.0 with strong-soap.
'use strict';

const fs = require('node:fs');
const { randomUUID } = require('node:crypto');
const { soap } = require('strong-soap');
const { WSA, env, tell, tellFault, steps } = require('./script.js');

const tls = {
  cert: fs.readFileSync(env.OSCP_CERT),
  key: fs.readFileSync(env.OSCP_KEY),
  ca: fs.readFileSync(env.OSCP_CA),
};
const amount = (value, Unit = 'A', Phase = undefined) => ({
  $attributes: Phase === undefined ? { Unit } : { Unit, Phase },
  $value: value,
});
const reading = { word: (one) => one.$value, attribute: (one, name) => one.$attributes[name] };

const create = (wsdl, options) =>
  new Promise((resolve, reject) =>
    soap.createClient(wsdl, options, (error, client) => (error ? reject(error) : resolve(client))),
  );

async function main() {
  const client = await create(env.OSCP_WSDL, { wsdl_options: tls });
  client.setSecurity(new soap.ClientSSLSecurity(tls.key, tls.cert, tls.ca));

  await steps(async (step, operation, body, { sender = env.OSCP_SENDER, nameless = false } = {}) => {
    client.clearSoapHeaders();
    const addressing = { Action: `/${operation}`, To: env.OSCP_URL };
    if (!nameless) addressing.MessageID = randomUUID();
    for (const [name, value] of Object.entries(addressing)) {
      client.addSoapHeader(`<${name} xmlns="${WSA}">${value}</${name}>`);
    }
    const parties = `<senderID>${sender}</senderID><receiverID>${env.OSCP_RECEIVER}</receiverID>`;
    for (const [name, value] of [['Parties', parties], ['Priority', 0], ['DateTime', new Date().toISOString()]]) {
      client.addSoapHeader(`<${name} xmlns="${env.OSCP_NAMESPACE}">${value}</${name}>`);
    }
    const asked = { [`${operation}Request`]: body };
    await new Promise((resolve) =>
      client[operation](asked, (error, answer, text, heard) => {
        if (error) {
          tellFault(step, error);
        } else {
          tell(step, answer, heard.Parties, reading);
        }
        resolve();
      }),
    );
  }, amount);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
