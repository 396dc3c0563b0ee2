'use strict';

// Settings of the application, from its environment (/etc/sample-app/env). Nothing here is ever printed.

const path = require('node:path');
const os = require('node:os');

function number(name, fallback) {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${name} must be a whole number, not '${text}'`);
  return value;
}

function database(kind, user) {
  return {
    host: process.env[`${kind}_HOST`] || '127.0.0.1',
    port: number(`${kind}_PORT`, 3306),
    user: process.env[`${kind}_USER`] || user,
    password: process.env[`${kind}_PASSWORD`] || '',
    database: process.env.DATABASE || 'sample',
  };
}

module.exports = {
  host: os.hostname(),
  // The release is the name of the directory this file lies in.
  release: process.env.RELEASE || path.basename(__dirname),
  address: process.env.LISTEN || '0.0.0.0',
  port: number('PORT', 3000),
  write: database('WRITE', 'sample_rw'),
  read: database('READ', 'sample_ro'),
  // While this file exists, the application asks its balancers to send nothing.
  drainFile: process.env.DRAIN_FILE || '/run/sample-app/drain',
  // So many answers of its health URL move a balancer: not less than its own `fall` and `rise`.
  checks: number('BALANCER_CHECKS', 3),
  stopSeconds: number('STOP_SECONDS', 10),
};
