'use strict';

// Whether the balancers know. Each asks for the health URL again and again; what it was told, and how often in a row,
// says whether it sends requests here. Nobody has to wait by the clock.

const fs = require('node:fs');

const FORGET_MS = 3000;
const QUIET_MS = 300;

class Balancers {
  constructor(drainFile, checks, now = () => Date.now()) {
    this.drainFile = drainFile;
    this.checks = checks;
    this.now = now;
    this.asked = new Map(); // address -> { last, times, up, down }
    this.inFlight = 0;
    this.lastRequest = 0;
  }

  get draining() {
    return fs.existsSync(this.drainFile);
  }

  // A health check from `address` is answered with up or down.
  told(address, up) {
    const loopback = address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
    if (loopback) return;
    const name = address.replace(/^::ffff:/, '');
    const was = this.asked.get(name) || { times: 0, up: 0, down: 0 };
    const fresh = this.now() - (was.last ?? 0) > FORGET_MS;
    this.asked.set(name, {
      last: this.now(),
      times: fresh ? 1 : was.times + 1,
      up: up ? was.up + 1 : 0,
      down: up ? 0 : was.down + 1,
    });
  }

  began() {
    this.inFlight += 1;
    this.lastRequest = this.now();
  }

  ended() {
    this.inFlight -= 1;
    this.lastRequest = this.now();
  }

  // Those that ask regularly, by what they know.
  known() {
    const regular = [...this.asked].filter(
      ([, seen]) => seen.times >= this.checks && this.now() - seen.last <= FORGET_MS,
    );
    const names = (wanted) =>
      regular
        .filter(([, seen]) => wanted(seen))
        .map(([name]) => name)
        .sort();
    return {
      up: names((seen) => seen.up >= this.checks),
      down: names((seen) => seen.down >= this.checks),
      undecided: names((seen) => seen.up < this.checks && seen.down < this.checks),
    };
  }

  // Nobody sends anything any more, and nothing is being answered.
  drained() {
    const known = this.known();
    return (
      this.draining &&
      this.inFlight === 0 &&
      known.up.length === 0 &&
      known.undecided.length === 0 &&
      this.now() - this.lastRequest >= QUIET_MS
    );
  }
}

module.exports = { Balancers };
