import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExpose, parsePublish } from './port-specs.ts';

// Each as `PORT/PROTOCOL ADDRESS HOST_PORT`: what the docker command line (version 28) sends.
for (const [text, expected] of [
  ['80', ['80/tcp "" ""']],
  [':80', ['80/tcp "" ""']],
  ['::80', ['80/tcp "" ""']],
  ['8080:80', ['80/tcp "" "8080"']],
  [':8080:80', ['80/tcp "" "8080"']],
  ['127.0.0.1:8080:80', ['80/tcp "127.0.0.1" "8080"']],
  ['127.0.0.1::80', ['80/tcp "127.0.0.1" ""']],
  ['0.0.0.0:80:80', ['80/tcp "0.0.0.0" "80"']],
  ['[::1]:8080:80', ['80/tcp "::1" "8080"']],
  ['::1:8080:80', ['80/tcp "::1" "8080"']],
  ['[::1]::80', ['80/tcp "::1" ""']],
  ['[::]:80:80', ['80/tcp "::" "80"']],
  ['::::80', ['80/tcp "::" ""']],
  ['[0.0.0.0]:80:80', ['80/tcp "0.0.0.0" "80"']],
  ['0::1:1:2', ['2/tcp "0::1" "1"']],
  ['8000-8002:80-82', ['80/tcp "" "8000"', '81/tcp "" "8001"', '82/tcp "" "8002"']],
  ['127.0.0.1:9-10:80-81/udp', ['80/udp "127.0.0.1" "9"', '81/udp "127.0.0.1" "10"']],
  ['8000-8002:80', ['80/tcp "" "8000-8002"']],
  ['8000-8002:80/udp', ['80/udp "" "8000-8002"']],
  ['8000-8001:80-80', ['80/tcp "" "8000-8001"']],
  ['8080-8080:80', ['80/tcp "" "8080"']],
  ['80-82', ['80/tcp "" ""', '81/tcp "" ""', '82/tcp "" ""']],
  ['80/udp', ['80/udp "" ""']],
  ['80/TCP', ['80/tcp "" ""']],
  ['80/', ['80/tcp "" ""']],
  ['53:53/sctp', ['53/sctp "" "53"']],
  ['0:80', ['80/tcp "" "0"']],
  ['080:080', ['80/tcp "" "80"']],
  ['65535:65535', ['65535/tcp "" "65535"']],
] as const) {
  test(`-p ${text} publishes ${expected.join(', ')}`, () => {
    assert.deepEqual(
      parsePublish(text).map(([port, { HostIp, HostPort }]) => `${port} "${HostIp}" "${HostPort}"`),
      expected,
    );
  });
}

for (const [text, message] of [
  ['8000:80-82', 'invalid ranges specified for container and host Ports: 80-82 and 8000'],
  ['8000-8001:80-82', 'invalid ranges specified for container and host Ports: 80-82 and 8000-8001'],
  ['0:80-82', 'invalid ranges specified for container and host Ports: 80-82 and 0'],
  ['a:80', 'invalid hostPort: a'],
  ['70000:80', 'invalid hostPort: 70000'],
  ['8002-8000:80', 'invalid hostPort: 8002-8000'],
  ['+80:80', 'invalid hostPort: +80'],
  ['-5:80', 'invalid hostPort: -5'],
  ['1-2-3:80', 'invalid hostPort: 1-2-3'],
  ['80:a', 'invalid containerPort: a'],
  ['a:b', 'invalid containerPort: b'],
  ['65536', 'invalid containerPort: 65536'],
  ['82-80', 'invalid containerPort: 82-80'],
  ['80-', 'invalid containerPort: 80-'],
  [' 80', 'invalid containerPort:  80'],
  ['80/foo', 'invalid proto: foo'],
  ['80/tcp/udp', 'invalid proto: tcp/udp'],
  ['1.2.3:80:80', 'invalid IP address: 1.2.3'],
  ['01.2.3.4:80:80', 'invalid IP address: 01.2.3.4'],
  ['localhost:80:80', 'invalid IP address: localhost'],
  ['80:80:80', 'invalid IP address: 80'],
  ['::1]:80:80', 'invalid IP address: ::1]'],
  ['[::1:80:80', 'invalid IP address: [::1'],
  ['[]:80:80', 'invalid IP address: []'],
  ['[fe80::1%lo]:80:80', 'invalid IP address: [fe80::1%lo]'],
  ['', 'no port specified: <empty>'],
  [':', 'no port specified: :<empty>'],
  ['8080:', 'no port specified: 8080:<empty>'],
  ['80:/tcp', 'no port specified: 80:/tcp<empty>'],
] as const) {
  test(`-p '${text}' is refused: ${message}`, () => {
    assert.throws(() => parsePublish(text), { message });
  });
}

for (const [text, expected] of [
  ['80', ['80/tcp']],
  ['80/', ['80/tcp']],
  ['80/udp', ['80/udp']],
  ['80-82', ['80/tcp', '81/tcp', '82/tcp']],
  ['80-81/foo', ['80/foo', '81/foo']],
] as const) {
  test(`--expose ${text} exposes ${expected.join(', ')}`, () =>
    assert.deepEqual(parseExpose(text), expected));
}

for (const [text, message] of [
  ['8080:80', 'invalid port format for --expose: 8080:80'],
  ['', 'invalid range format for --expose: '],
  ['a', 'invalid range format for --expose: a'],
  ['82-80', 'invalid range format for --expose: 82-80'],
  ['70000', 'invalid range format for --expose: 70000'],
] as const) {
  test(`--expose '${text}' is refused`, () => assert.throws(() => parseExpose(text), { message }));
}
