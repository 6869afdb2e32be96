import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatContainerPort,
  formatHostPorts,
  type PortRequest,
  parseContainerPort,
  parseContainerPorts,
  parseHostAddress,
  parseHostPorts,
  wantedPorts,
} from './ports.ts';

function refuses(text: string, parse: (text: string) => unknown): void {
  assert.throws(
    () => parse(text),
    { kind: 'invalid', code: 'invalid-port', message: `invalid port specification: "${text}"` },
    JSON.stringify(text),
  );
}

describe("a container's port", () => {
  it('is read, with tcp where it names no protocol', () => {
    for (const [text, port, protocol] of [
      ['80', 80, 'tcp'],
      ['80/tcp', 80, 'tcp'],
      ['53/UDP', 53, 'udp'],
      ['65535/Sctp', 65535, 'sctp'],
      ['1', 1, 'tcp'],
      ['0080/tcp', 80, 'tcp'],
    ] as const) {
      assert.deepEqual(parseContainerPort(text), { port, protocol });
      assert.equal(formatContainerPort(parseContainerPort(text)), `${port}/${protocol}`);
    }
  });

  it('is refused by its text otherwise', () => {
    for (const text of [
      '',
      '/tcp',
      '0',
      '0/tcp',
      '-1',
      '65536',
      '99999',
      '100000',
      '4294967376',
      'http',
      '80/',
      '80/icmp',
      '80/xxx',
      '80/tcp/udp',
      '80tcp',
      ' 80',
      '80\n',
      '8.0',
      '0x50',
      '8e1',
    ]) {
      refuses(text, parseContainerPort);
      refuses(text, parseContainerPorts);
    }
  });

  it('is one, where a range is not asked for', () => {
    for (const text of ['80-81', '80-80', '80-81/udp']) refuses(text, parseContainerPort);
  });

  it('comes in ranges', () => {
    const named = (text: string) => parseContainerPorts(text).map(formatContainerPort);
    assert.deepEqual(named('80'), ['80/tcp']);
    assert.deepEqual(named('80-80/udp'), ['80/udp']);
    assert.deepEqual(named('8000-8002/UDP'), ['8000/udp', '8001/udp', '8002/udp']);
    assert.equal(named('1-65535').length, 65535);
    for (const text of ['82-80', '0-3', '65534-65536', '80-', '-80', '80-81-82']) {
      refuses(text, parseContainerPorts);
    }
  });
});

describe('the host ports of a binding', () => {
  for (const [text, first, last, shown = text] of [
    ['', 0, 0],
    ['0', 0, 0, ''],
    ['8080', 8080, 8080],
    ['65535', 65535, 65535],
    ['8000-8002', 8000, 8002],
    ['8000-8000', 8000, 8000, '8000'],
  ] as const) {
    it(`are read from '${text}' and shown as '${shown}'`, () => {
      const ports = parseHostPorts(text);
      assert.deepEqual(ports, { hostPortFirst: first, hostPortLast: last });
      assert.equal(formatHostPorts(ports), shown);
    });
  }

  for (const text of [
    '99999',
    '65536',
    'a',
    '-1',
    '8002-8000',
    '0-10',
    '80-',
    '-80',
    '8080/tcp',
    ' 80',
    '+80',
  ]) {
    it(`are not '${text}'`, () => refuses(text, parseHostPorts));
  }
});

describe('the host address of a binding', () => {
  it('is kept in its canonical form', () => {
    for (const [text, address] of [
      ['', ''],
      ['0.0.0.0', '0.0.0.0'],
      ['127.0.0.1', '127.0.0.1'],
      ['::', '::'],
      ['0:0:0:0:0:0:0:0', '::'],
      ['0:0::1', '::1'],
      ['2001:DB8::00A', '2001:db8::a'],
      ['::ffff:192.0.2.1', '192.0.2.1'],
      ['::ffff:0:0', '0.0.0.0'],
      ['1::ffff:192.0.2.1', '1::ffff:c000:201'],
    ] as const) {
      assert.equal(parseHostAddress(text), address);
    }
  });

  it('is nothing but an address', () => {
    for (const text of ['localhost', '1.2.3', '1.2.3.256', '[::1]', '::1%lo', ' 127.0.0.1', '10.0.0.0/8']) {
      assert.throws(() => parseHostAddress(text), {
        kind: 'invalid',
        code: 'invalid-address',
        message: `invalid IP address: ${text}`,
      });
    }
  });
});

describe('what a container publishes', () => {
  const tcp = (port: number, changes: Partial<PortRequest> = {}): PortRequest => ({
    port,
    protocol: 'tcp',
    hostAddress: '',
    hostPortFirst: 0,
    hostPortLast: 0,
    ...changes,
  });
  const fixed = (port: number, hostPort: number, hostAddress = '') =>
    tcp(port, { hostPortFirst: hostPort, hostPortLast: hostPort, hostAddress });
  const range = (port: number) => tcp(port, { hostPortFirst: 8000, hostPortLast: 8009 });

  for (const [what, bindings, exposed, publishAll, expected] of [
    ['nothing', [], [], false, []],
    ['no exposed port of its own accord', [], ['80/tcp'], false, []],
    ['nothing for a record of an older version', undefined, ['80/tcp'], undefined, []],
    ['its bindings', [fixed(80, 8080)], ['80/tcp', '81/tcp'], false, [fixed(80, 8080)]],
    [
      'all exposed ports if it is to',
      [],
      ['80/tcp', '53/udp'],
      true,
      [tcp(80), tcp(53, { protocol: 'udp' })],
    ],
    ['each exposed port once', [], ['80/tcp', '80', '80-81/TCP'], true, [tcp(80), tcp(81)]],
    [
      'no exposed port a second time',
      [fixed(80, 8080)],
      ['80/tcp', '81/tcp'],
      true,
      [fixed(80, 8080), tcp(81)],
    ],
    [
      'the same number of two protocols',
      [fixed(53, 53)],
      ['53/tcp', '53/udp'],
      true,
      [fixed(53, 53), tcp(53, { protocol: 'udp' })],
    ],
    ['no exposure that is no port', [], ['junk', '0/tcp', '9-8', '99999', '80/tcp'], true, [tcp(80)]],
    ['an exposed port of an older record', undefined, ['80/tcp'], true, [tcp(80)]],
    [
      'first what has to be one number, last what may be any',
      [tcp(1), range(2), fixed(3, 33), tcp(4), range(5), fixed(6, 66)],
      ['7/tcp'],
      true,
      [fixed(3, 33), fixed(6, 66), range(2), range(5), tcp(1), tcp(4), tcp(7)],
    ],
    [
      'a number once though it is asked for twice',
      [fixed(80, 8080), fixed(80, 8080), fixed(80, 8080, '127.0.0.1'), fixed(81, 8080)],
      [],
      false,
      [fixed(80, 8080), fixed(80, 8080, '127.0.0.1'), fixed(81, 8080)],
    ],
    [
      'as many random ports as are asked for',
      [tcp(80), tcp(80), range(80), range(80)],
      [],
      false,
      [range(80), range(80), tcp(80), tcp(80)],
    ],
  ] as const) {
    it(what, () => assert.deepEqual(wantedPorts(bindings, exposed, publishAll), expected));
  }

  it('is said without changing the bindings', () => {
    const bindings = Object.freeze([tcp(80), fixed(81, 81)]);
    wantedPorts(bindings, ['90/tcp'], true);
    assert.deepEqual(bindings, [tcp(80), fixed(81, 81)]);
  });
});
