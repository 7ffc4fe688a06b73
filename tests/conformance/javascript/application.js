'use strict';

// The conversation with the runner, whichever SDK makes the calls.
//
// The first line on stdout says who this is. Then each line on stdin is a request, {"do": NAME, ...}, and has one line
// for an answer: {"ok": WHAT CAME} or, when the SDK raises, {"error": TEXT}. The process ends with its stdin.

const { createInterface } = require('node:readline');

exports.converse = async function converse(packages, calls) {
  const versions = packages.map((name) => [name, require(`${name}/package.json`).version]);
  say({ ...Object.fromEntries(versions), node: process.versions.node });
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...request } = JSON.parse(line);
    try {
      say({ ok: await calls[name](request) });
    } catch (error) {
      say({ error: told(error) });
    }
  }
};

// One for each service and endpoint, kept as an application keeps it: its credentials must outlive a refresh.
exports.kept = function kept(make) {
  const clients = new Map();
  return (endpoint) => {
    if (!clients.has(endpoint)) clients.set(endpoint, make(endpoint));
    return clients.get(endpoint);
  };
};

function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

// The SDKs wrap what went wrong: v2 in `originalError`, where an error may have a code, a name or neither.
function told(error) {
  const said = [];
  for (let at = error; at && said.length < 5; at = at.originalError ?? at.cause) {
    said.push([at.code ?? at.name, at.message].filter(Boolean).join(': '));
  }
  return said.join('; ');
}
