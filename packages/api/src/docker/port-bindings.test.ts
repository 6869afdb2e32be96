import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DockerHostConfig } from './create-container-body.ts';
import { fromDockerPortBindings, toDockerPortBindings } from './port-bindings.ts';

type Given = DockerHostConfig['PortBindings'];

const request = (
  port: number,
  protocol: 'tcp' | 'udp' | 'sctp',
  hostAddress: string,
  hostPortFirst: number,
  hostPortLast = hostPortFirst,
) => ({ port, protocol, hostAddress, hostPortFirst, hostPortLast });

describe('port bindings', () => {
  for (const [given, requests, shown] of [
    [undefined, [], {}],
    [null, [], {}],
    [{}, [], {}],
    [
      { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
      [request(80, 'tcp', '', 8080)],
      { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
    ],
    [
      {
        '53/UDP': [
          { HostIp: '127.0.0.1', HostPort: '53' },
          { HostIp: '::1', HostPort: '' },
        ],
      },
      [request(53, 'udp', '127.0.0.1', 53), request(53, 'udp', '::1', 0)],
      {
        '53/udp': [
          { HostIp: '127.0.0.1', HostPort: '53' },
          { HostIp: '::1', HostPort: '' },
        ],
      },
    ],
    [
      { '80': [{ HostPort: '8000-8002' }], '9/sctp': [{ HostIp: '0.0.0.0' }] },
      [request(80, 'tcp', '', 8000, 8002), request(9, 'sctp', '0.0.0.0', 0)],
      {
        '80/tcp': [{ HostIp: '', HostPort: '8000-8002' }],
        '9/sctp': [{ HostIp: '0.0.0.0', HostPort: '' }],
      },
    ],
    [
      { '80/tcp': [], '81/tcp': null, '82/tcp': [{}], '83/tcp': [{ HostIp: null, HostPort: '0' }] },
      [80, 81, 82, 83].map((port) => request(port, 'tcp', '', 0)),
      Object.fromEntries([80, 81, 82, 83].map((port) => [`${port}/tcp`, [{ HostIp: '', HostPort: '' }]])),
    ],
    [
      { '80/tcp': [{ HostIp: '0:0:0:0:0:0:0:0', HostPort: '80-80' }] },
      [request(80, 'tcp', '::', 80)],
      { '80/tcp': [{ HostIp: '::', HostPort: '80' }] },
    ],
  ] as const) {
    test(`are read from ${JSON.stringify(given)} and shown as they were asked for`, () => {
      const read = fromDockerPortBindings(given as Given);
      assert.deepEqual(read, requests);
      assert.deepEqual(toDockerPortBindings(read), shown);
    });
  }

  for (const [given, code, message] of [
    [{ '80/tcp': [{ HostPort: '99999' }] }, 'invalid-port', 'invalid port specification: "99999"'],
    [{ '80/tcp': [{ HostPort: 'http' }] }, 'invalid-port', 'invalid port specification: "http"'],
    [{ '80/tcp': [{ HostPort: '9-8' }] }, 'invalid-port', 'invalid port specification: "9-8"'],
    [{ '80/tcp': [{ HostPort: '80/tcp' }] }, 'invalid-port', 'invalid port specification: "80/tcp"'],
    [{ '80/xxx': [] }, 'invalid-port', 'invalid port specification: "80/xxx"'],
    [{ '0/tcp': [] }, 'invalid-port', 'invalid port specification: "0/tcp"'],
    [{ '80-82/tcp': [] }, 'invalid-port', 'invalid port specification: "80-82/tcp"'],
    [{ '': [] }, 'invalid-port', 'invalid port specification: ""'],
    [{ '80/tcp': [{ HostIp: 'junk' }] }, 'invalid-address', 'invalid IP address: junk'],
    [{ '80/tcp': [{ HostIp: '[::1]' }] }, 'invalid-address', 'invalid IP address: [::1]'],
  ] as const) {
    test(`are refused where they are ${JSON.stringify(given)}`, () => {
      assert.throws(() => fromDockerPortBindings(given as unknown as Given), {
        kind: 'invalid',
        code,
        message,
      });
    });
  }
});
