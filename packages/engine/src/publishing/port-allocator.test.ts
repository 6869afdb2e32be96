import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PortProtocol, PublishedPort } from '../model/ports.ts';
import { PortAllocator, parseLocalPortRange, parseReservedPorts } from './port-allocator.ts';

const everywhere = ['0.0.0.0', '::'];

function at(hostAddress: string, hostPort: number, protocol: PortProtocol = 'tcp'): PublishedPort {
  return { port: 80, protocol, hostAddress, hostPort };
}

/** Takes the best candidate, as whoever publishes does; undefined when there is none. */
function claim(
  ports: PortAllocator,
  addresses: readonly string[] = everywhere,
  range: readonly [number, number] = [0, 0],
  protocol: PortProtocol = 'tcp',
): number | undefined {
  for (const port of ports.candidates(protocol, addresses, ...range)) {
    for (const address of addresses) ports.take(at(address, port, protocol));
    return port;
  }
  return undefined;
}

function releaseAt(ports: PortAllocator, port: number, addresses: readonly string[] = everywhere): void {
  for (const address of addresses) ports.release(at(address, port));
}

const all = (ports: PortAllocator, first = 0, last = 0, addresses = everywhere) => [
  ...ports.candidates('tcp', addresses, first, last),
];

describe('host ports that are given out', () => {
  for (const [taken, wanted, isFree] of [
    ['0.0.0.0', '0.0.0.0', false],
    ['0.0.0.0', '127.0.0.1', false],
    ['127.0.0.1', '0.0.0.0', false],
    ['127.0.0.1', '127.0.0.1', false],
    ['127.0.0.1', '127.0.0.2', true],
    ['::', '::', false],
    ['::', '::1', false],
    ['::1', '::', false],
    ['::1', '::1', false],
    ['::1', 'fe80::1', true],
    ['0.0.0.0', '::', true],
    ['0.0.0.0', '::1', true],
    ['::', '0.0.0.0', true],
    ['::', '127.0.0.1', true],
  ] as const) {
    it(`at ${taken} leave the number ${isFree ? 'free' : 'taken'} at ${wanted}`, () => {
      const ports = new PortAllocator({ range: [1000, 1999] });
      ports.take(at(taken, 80));
      assert.equal(ports.isFree('tcp', wanted, 80), isFree);
      assert.deepEqual(all(ports, 80, 80, [wanted]), isFree ? [80] : []);
      assert.equal(ports.isFree('tcp', wanted, 81), true);
      for (const protocol of ['udp', 'sctp'] as const) {
        assert.equal(ports.isFree(protocol, wanted, 80), true);
      }
      ports.release(at(taken, 80));
      assert.equal(ports.isFree('tcp', wanted, 80), true);
    });
  }

  it('are separate for each address, and given back one by one', () => {
    const ports = new PortAllocator({ range: [1000, 1999] });
    for (const address of ['127.0.0.1', '127.0.0.2']) ports.take(at(address, 80));
    ports.release(at('127.0.0.1', 80));
    assert.equal(ports.isFree('tcp', '127.0.0.1', 80), true);
    assert.equal(ports.isFree('tcp', '127.0.0.2', 80), false);
    assert.equal(ports.isFree('tcp', '0.0.0.0', 80), false);
    ports.release(at('127.0.0.2', 80));
    assert.equal(ports.isFree('tcp', '0.0.0.0', 80), true);
  });

  it('may be taken and given back twice', () => {
    const ports = new PortAllocator({ range: [1000, 1999] });
    ports.take(at('::', 80));
    ports.take(at('::', 80));
    ports.release(at('::', 80));
    ports.release(at('::', 80));
    ports.release(at('0.0.0.0', 7));
    assert.equal(ports.isFree('tcp', '::', 80), true);
  });
});

describe('a fixed port', () => {
  it('is the one candidate, as often as it is free', () => {
    const ports = new PortAllocator({ range: [1000, 1999] });
    assert.deepEqual(all(ports, 8080, 8080), [8080]);
    assert.deepEqual(all(ports, 8080, 8080), [8080]);
    assert.equal(claim(ports, everywhere, [8080, 8080]), 8080);
    assert.deepEqual(all(ports, 8080, 8080), []);
    releaseAt(ports, 8080);
    assert.deepEqual(all(ports, 8080, 8080), [8080]);
  });

  it('is none where one of the addresses has it already', () => {
    const ports = new PortAllocator({ range: [1000, 1999] });
    ports.take(at('::1', 8080));
    assert.deepEqual(all(ports, 8080, 8080), []);
    assert.deepEqual(all(ports, 8080, 8080, ['0.0.0.0']), [8080]);
  });

  it('may be one that is kept from being given out at random', () => {
    const ports = new PortAllocator({ range: [1000, 1002], reserved: new Set([1001]) });
    assert.deepEqual(all(ports, 1001, 1001), [1001]);
    assert.deepEqual(all(ports, 1000, 1001), [1000, 1001]);
  });
});

describe('a range of ports', () => {
  it('is tried from its first port, then from the one after the last that was tried', () => {
    const ports = new PortAllocator({ range: [1000, 1999] });
    const next = () => claim(ports, everywhere, [8000, 8002]);
    assert.equal(next(), 8000);
    releaseAt(ports, 8000);
    assert.equal(next(), 8001);
    assert.equal(next(), 8002);
    assert.equal(next(), 8000, 'it begins again at its end');
    assert.equal(next(), undefined);
    releaseAt(ports, 8001);
    assert.equal(next(), 8001);
  });

  it('has a place of its own, apart from those of other ranges and protocols', () => {
    const ports = new PortAllocator({ range: [8000, 8002] });
    assert.equal(claim(ports, everywhere, [8000, 8002]), 8000);
    releaseAt(ports, 8000);
    assert.equal(claim(ports, everywhere, [8000, 8003]), 8000);
    releaseAt(ports, 8000);
    assert.equal(claim(ports, everywhere, [8000, 8002], 'udp'), 8000);
    assert.equal(claim(ports), 8000, 'random ports, though from the same range');
  });

  it('is tried to its end, each port once, where the system refuses', () => {
    const ports = new PortAllocator({ range: [1000, 1999] });
    ports.take(at('127.0.0.1', 8002));
    assert.deepEqual(all(ports, 8000, 8004), [8000, 8001, 8003, 8004]);
    const [first] = ports.candidates('tcp', everywhere, 8000, 8004);
    assert.equal(first, 8000);
    assert.deepEqual(all(ports, 8000, 8004), [8001, 8003, 8004, 8000]);
  });
});

describe('random ports', () => {
  it('go up one by one, wrap at the end, and rest after they were given back', () => {
    const ports = new PortAllocator({ range: [32768, 32771] });
    assert.deepEqual([claim(ports), claim(ports)], [32768, 32769]);
    releaseAt(ports, 32768);
    assert.deepEqual([claim(ports), claim(ports)], [32770, 32771]);
    assert.equal(claim(ports), 32768);
    assert.equal(claim(ports), undefined);
    assert.equal(claim(ports, ['127.0.0.1']), undefined);
  });

  it('are counted for each protocol', () => {
    const ports = new PortAllocator({ range: [32768, 32770] });
    assert.deepEqual([claim(ports), claim(ports)], [32768, 32769]);
    assert.equal(claim(ports, everywhere, [0, 0], 'udp'), 32768);
    assert.equal(claim(ports, everywhere, [0, 0], 'sctp'), 32768);
    assert.equal(claim(ports), 32770);
  });

  it('have the same number at all addresses of a group', () => {
    const ports = new PortAllocator({ range: [32768, 32770] });
    ports.take(at('0.0.0.0', 32768));
    ports.take(at('::1', 32769));
    assert.deepEqual(all(ports), [32770]);
    assert.deepEqual(all(ports, 0, 0, ['::']), [32768, 32770], 'in turn from the first');
    assert.deepEqual(all(ports, 0, 0, ['127.0.0.1']), [32769, 32770]);
  });

  it('are never those that the administrator reserved', () => {
    const ports = new PortAllocator({ range: [32768, 32771], reserved: new Set([32768, 32770]) });
    assert.deepEqual(all(ports), [32769, 32771]);
    const none = new PortAllocator({ range: [32768, 32768], reserved: new Set([32768]) });
    assert.deepEqual(all(none), []);
  });

  it('differ for searches that go on at the same time', () => {
    const ports = new PortAllocator({ range: [32768, 32770] });
    const [one, other] = [
      ports.candidates('tcp', everywhere, 0, 0),
      ports.candidates('tcp', everywhere, 0, 0),
    ];
    assert.equal(one.next().value, 32768);
    assert.equal(other.next().value, 32769);
    for (const address of everywhere) ports.take(at(address, 32769));
    assert.equal(one.next().value, 32770, 'not what the other one has taken meanwhile');
  });

  it('are found quickly among many that are taken', () => {
    const ports = new PortAllocator({ range: [32768, 60999] });
    const started = performance.now();
    for (let count = 0; count < 10_000; count++) claim(ports);
    for (let round = 0; round < 10_000; round++) {
      releaseAt(ports, 32768 + round);
      claim(ports);
    }
    const tookMs = performance.now() - started;
    assert.ok(tookMs < 2000, `20,000 claims took ${tookMs.toFixed()} ms`);
    assert.equal(claim(ports), 32768 + 20_000);
  });
});

describe('the sysctls of local ports', () => {
  it('give the range of random ports', () => {
    for (const [text, range] of [
      ['32768\t60999\n', [32768, 60999]],
      ['1024 65535', [1024, 65535]],
      ['  9  9 ', [9, 9]],
      ['', [49153, 65535]],
      ['junk', [49153, 65535]],
      ['60999 32768', [49153, 65535]],
      ['0 100', [49153, 65535]],
      ['1 99999', [49153, 65535]],
      ['32768', [49153, 65535]],
    ] as const) {
      assert.deepEqual(parseLocalPortRange(text), range, JSON.stringify(text));
    }
  });

  it('give the reserved ports', () => {
    for (const [text, ports] of [
      ['', []],
      ['\n', []],
      ['8080\n', [8080]],
      ['8080,9148-9150\n', [8080, 9148, 9149, 9150]],
      ['65534-70000', [65534, 65535]],
    ] as const) {
      assert.deepEqual([...parseReservedPorts(text)], ports, JSON.stringify(text));
    }
  });
});
