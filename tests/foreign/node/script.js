// What every client here does: the exchanges of one service, told as facts, one a line: step, name, value.
'use strict';

const WSA = 'http://www.w3.org/2005/08/addressing';
const env = process.env;

const say = (step, name, value) =>
  process.stdout.write(`${step}\t${name}\t${String(value).replace(/[\t\n]/g, ' ')}\n`);
const many = (one) => (one === undefined || one === null ? [] : Array.isArray(one) ? one : [one]);
const time = (value) => (value instanceof Date ? value.toISOString().replace('.000Z', 'Z') : value);
const at = (quarters) => time(new Date(Date.parse(env.OSCP_START) + quarters * 900_000));

// Tells an answer; `word` gives the text of an element and `attribute` one of its attributes, as the toolkit holds them.
function tell(step, answer, parties, { word, attribute }) {
  say(step, 'from', parties.senderID);
  say(step, 'type', answer.Result.Type);
  for (const { Code, Level, Message } of many(answer.Result.Details.Detail)) {
    say(step, 'detail', `${Code} ${Level} ${Message}`);
  }
  if (answer.CurrentTime) say(step, 'current', time(answer.CurrentTime));
  for (const { Cable, CapacityBlock } of many(answer.Adjustment)) {
    for (const block of many(CapacityBlock)) {
      say(step, 'block', `${Cable.CableId} ${time(block.StartTime)} ${time(block.EndTime)}`);
      for (const [name, what] of [['Capacity', 'granted'], ['RemainingCapacity', 'left']]) {
        for (const one of many(block[name])) {
          say(step, what, `${word(one)} ${attribute(one, 'Unit')} ${attribute(one, 'Phase') ?? '-'}`);
        }
      }
    }
  }
}

// Tells the Fault that both toolkits hang on their errors; anything else is thrown on.
function tellFault(step, error) {
  const fault = error.root?.Envelope?.Body?.Fault;
  if (!fault) throw error;
  const code = fault.faultcode ?? fault.Code.Value;
  const reason = fault.faultstring ?? fault.Reason.Text;
  say(step, 'fault', (code.$value ?? code).replace(/.*:/, ''));
  say(step, 'reason', reason.$value ?? reason);
}

// The steps: `call(step, operation, body, {sender, nameless})`; `amount(value, unit, phase)` as the toolkit writes it.
async function steps(call, amount) {
  const Cable = { CableId: env.OSCP_CABLE };
  const times = (i) => ({ StartTime: at(i), EndTime: at(i + 1) });
  if (env.OSCP_NAMESPACE.includes('CSP')) {
    const ForecastedBlock = Array.from({ length: 96 }, (_, i) => ({
      Capacity: [amount('33.00', 'A', 1), amount('22.50', 'A', 2), amount('11.00', 'A', 3)],
      ...times(i),
      RemainingCapacity: [amount('5.00')],
    }));
    await call('forecast', 'UpdateCableCapacityForecast', { Forecast: [{ Cable, ForecastedBlock }] });
    const beat = { HeartBeatTimeInterval: 300, ForecastTimeInterval: 900 };
    await call('heartbeat', 'Heartbeat', beat);
    await call('stranger', 'Heartbeat', beat, { sender: 'nobody' });
    await call('nameless', 'Heartbeat', beat, { nameless: true });
  } else {
    await call('forecasts', 'GetCapacityForecast', { Cable: [Cable] });
    await call('unknown', 'GetCapacityForecast', { Cable: [{ CableId: 'nowhere' }] });
    for (const [step, ampere] of [['giveback', '-10.00'], ['request', '4000.00']]) {
      const CapacityBlock = [{ Capacity: [amount(ampere)], ...times(0) }];
      await call(step, 'RequestAdjustedCapacity', { Adjustment: [{ Cable, CapacityBlock }] });
    }
    const Usage = [1, 2, 3].flatMap((phase) => [amount('460.00', 'Wh', phase), amount('8.00', 'A', phase)]);
    await call('usage', 'UpdateAggregatedUsage', { Usage: [{ Cable, UsageBlock: [{ Usage, ...times(-8) }] }] });
    await call('stranger', 'GetCapacityForecast', {}, { sender: 'nobody' });
    await call('nameless', 'GetCapacityForecast', {}, { nameless: true });
  }
}

module.exports = { WSA, env, many, tell, tellFault, steps };
