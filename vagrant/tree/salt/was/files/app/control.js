'use strict';

// What the unit runs beside the application, and people by hand:
//
//   control.js drain    asks the balancers to send nothing, and waits until they do not and nothing is being answered
//   control.js undrain  takes requests again, and waits until the balancers know
//   control.js started  waits until the application answers and, after a drain, until it is back in service
//   control.js ready    fails unless it is in service (or, on a host that never was, answers at all)
//
// All waiting is by what the application says at its health URL; the times are limits.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const settings = require('./settings');

const FLAG = settings.drainFile;
// The balancers that sent requests before the last drain, one address on each line.
const SERVED = path.join(path.dirname(FLAG), 'served');
const MARK = 'restart\n';

const fail = (message) => {
  console.error(`sample-app: ${message}`);
  process.exit(1);
};

function health() {
  return new Promise((done) => {
    const request = http.get({ host: '127.0.0.1', port: settings.port, path: '/health', timeout: 2000, agent: false });
    request.on('timeout', () => request.destroy());
    request.on('error', () => done(undefined));
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => (text += part));
      response.on('end', () => {
        try {
          done({ code: response.statusCode, ...JSON.parse(text) });
        } catch {
          done(undefined);
        }
      });
    });
  });
}

const pause = () => new Promise((done) => setTimeout(done, 50));

// The first health that satisfies `met`, or undefined with the last one seen when `seconds` are over.
async function until(seconds, met) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const now = await health();
    if (met(now)) return { met: true, now };
    if (Date.now() >= end) return { met: false, now };
    await pause();
  }
}

function served() {
  try {
    return fs.readFileSync(SERVED, 'utf8').split('\n').filter(Boolean);
  } catch {
    return undefined;
  }
}

const inService = (addresses) => (now) =>
  now?.code === 200 && addresses.every((address) => now.balancers.up.includes(address));

async function drain() {
  const before = await health();
  if (before === undefined) return;
  if (before.status !== 'draining') {
    if (before.code === 200) fs.writeFileSync(SERVED, before.balancers.up.map((address) => `${address}\n`).join(''));
    fs.writeFileSync(FLAG, process.env.INVOCATION_ID ? MARK : 'by hand\n');
  }
  const began = Date.now();
  const { met, now } = await until(15, (now) => now === undefined || now.drained);
  const took = ((Date.now() - began) / 1000).toFixed(1);
  if (met) console.log(`drained in ${took} s: ${now?.balancers.down.join(', ') || 'no balancer'} sends nothing any more`);
  else console.error(`not drained after ${took} s: ${JSON.stringify({ in_flight: now.in_flight, ...now.balancers })}`);
}

async function undrain() {
  fs.rmSync(FLAG, { force: true });
  const addresses = served() ?? [];
  const { met, now } = await until(15, inService(addresses));
  if (!met) fail(why(now, addresses));
}

async function started() {
  const flag = fs.existsSync(FLAG) && fs.readFileSync(FLAG, 'utf8');
  const { met } = await until(15, (now) => now !== undefined);
  if (!met) fail(`it does not answer on port ${settings.port}`);
  // What was drained by hand stays so.
  if (flag && flag !== MARK) return;
  fs.rmSync(FLAG, { force: true });
  const addresses = served();
  if (addresses === undefined) return;
  const after = await until(15, inService(addresses));
  // No failure here: a service that waits for its database runs. `ready` tells.
  if (!after.met) console.error(why(after.now, addresses));
}

async function ready() {
  const addresses = served();
  const met = addresses === undefined ? (now) => now !== undefined : inService(addresses);
  const found = await until(20, met);
  if (!found.met) fail(why(found.now, addresses ?? []));
  const { release, status, balancers } = found.now;
  console.log(`release ${release}: ${status}${balancers.up.length > 0 ? `, in service at ${balancers.up.join(', ')}` : ''}`);
}

function why(now, addresses) {
  if (now === undefined) return `it does not answer on port ${settings.port}`;
  if (now.code !== 200) return `release ${now.release} is not healthy: ${now.status} (${JSON.stringify(now.database)})`;
  const missing = addresses.filter((address) => !now.balancers.up.includes(address));
  return `release ${now.release} is healthy, but ${missing.join(', ')} has not asked for its health`;
}

const commands = { drain, undrain, started, ready };
const command = commands[process.argv[2]];
if (command === undefined) fail(`usage: control.js ${Object.keys(commands).join('|')}`);
command().catch((error) => fail(error.message));
