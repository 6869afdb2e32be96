import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PortSummary } from '../client/types.ts';
import { formatPorts, joinHostPort } from './ports.ts';

/** Reads `ADDRESS>HOST_PORT>PORT/PROTOCOL`, and `PORT/PROTOCOL` for one that is only exposed. */
function port(text: string): PortSummary {
  const parts = text.split('>');
  const [number, Type] = parts.pop()!.split('/') as [string, string];
  const exposed = { PrivatePort: Number(number), Type };
  const [IP, hostPort] = parts;
  return IP === undefined ? exposed : { IP, PublicPort: Number(hostPort), ...exposed };
}

// What the docker command line (version 28) shows for the same answers.
for (const [given, shown] of [
  ['', ''],
  ['80/tcp', '80/tcp'],
  ['0.0.0.0>8080>80/tcp', '0.0.0.0:8080->80/tcp'],
  ['::>8080>80/tcp', '[::]:8080->80/tcp'],
  ['::>8080>80/tcp 0.0.0.0>8080>80/tcp', '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp'],
  ['0.0.0.0>80>80/tcp', '0.0.0.0:80->80/tcp'],
  ['82/tcp 80/tcp 81/tcp', '80-82/tcp'],
  ['80/tcp 81/udp 82/tcp', '80/tcp, 82/tcp, 81/udp'],
  ['80/tcp 80/udp 81/tcp 81/udp', '80-81/tcp, 80-81/udp'],
  [
    '0.0.0.0>80>80/tcp 0.0.0.0>81>81/tcp ::>80>80/tcp ::>81>81/tcp',
    '0.0.0.0:80-81->80-81/tcp, [::]:80-81->80-81/tcp',
  ],
  ['0.0.0.0>8080>80/tcp 0.0.0.0>8081>81/tcp', '0.0.0.0:8080->80/tcp, 0.0.0.0:8081->81/tcp'],
  ['80/tcp 83/tcp 84/tcp 90/tcp', '80/tcp, 83-84/tcp, 90/tcp'],
  [
    '0.0.0.0>8080>80/tcp 443/tcp 127.0.0.1>53>53/udp 444/tcp',
    '127.0.0.1:53->53/udp, 443-444/tcp, 0.0.0.0:8080->80/tcp',
  ],
  ['0.0.0.0>9000>80/tcp 0.0.0.0>8080>80/tcp', '0.0.0.0:8080->80/tcp, 0.0.0.0:9000->80/tcp'],
  ['0.0.0.0>80>80/udp 0.0.0.0>80>80/tcp', '0.0.0.0:80->80/tcp, 0.0.0.0:80->80/udp'],
] as const) {
  test(`ports ${given || 'that there are none of'} are shown as '${shown}'`, () => {
    assert.equal(formatPorts(given === '' ? [] : given.split(' ').map(port)), shown);
  });
}

test('an IPv6 address goes into brackets', () => {
  assert.equal(joinHostPort('127.0.0.1', '80'), '127.0.0.1:80');
  assert.equal(joinHostPort('::1', '80-82'), '[::1]:80-82');
});
