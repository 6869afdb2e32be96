import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PortFailure } from '../keeper/protocol.ts';
import type { PublishedPort } from '../model/ports.ts';
import { HostPortChoice, refusalText, takenText } from './host-port-choice.ts';
import { PortAllocator } from './port-allocator.ts';

const everywhere = ['0.0.0.0', '::'];

function choose(
  allocator: PortAllocator,
  [hostPortFirst, hostPortLast]: readonly [number, number],
  addresses: readonly string[] = everywhere,
): HostPortChoice {
  const request = { port: 80, protocol: 'tcp', hostAddress: '', hostPortFirst, hostPortLast } as const;
  return new HostPortChoice(request, addresses, allocator);
}

function newAllocator(): PortAllocator {
  return new PortAllocator({ range: [32768, 32999] });
}

function failed(address: string, port: number, code = 'EADDRINUSE'): PortFailure {
  return { holder: 'web', port: { protocol: 'tcp', address, port }, code };
}

const shown = (ports: readonly PublishedPort[]) =>
  ports.map(({ hostAddress, hostPort }) => `${hostAddress} ${hostPort}`);

describe('a chosen host port', () => {
  it('has one number at all addresses, and nobody else is given it', () => {
    const allocator = newAllocator();
    const choice = choose(allocator, [8080, 8080]);
    assert.deepEqual(choice.ports, []);
    assert.equal(choice.next(), true);
    assert.deepEqual(shown(choice.ports), ['0.0.0.0 8080', ':: 8080']);
    assert.equal(choose(allocator, [8080, 8080], ['127.0.0.1']).next(), false);
    assert.equal(choice.next(), false, 'there is no other');
    assert.deepEqual(choice.ports, []);
    assert.equal(choose(allocator, [8080, 8080]).next(), true, 'it was given back');
  });

  it('is given back once, and only once', () => {
    const allocator = newAllocator();
    const choice = choose(allocator, [8080, 8080]);
    choice.next();
    choice.release();
    const next = choose(allocator, [8080, 8080]);
    next.next();
    choice.release();
    assert.equal(allocator.isFree('tcp', '::', 8080), false);
  });

  it('is known by protocol, address and number', () => {
    const choice = choose(newAllocator(), [8080, 8080]);
    choice.next();
    assert.equal(choice.has(failed('::', 8080)), true);
    assert.equal(choice.has(failed('::1', 8080)), false);
    assert.equal(choice.has(failed('::', 8081)), false);
    const udp: PortFailure = {
      holder: 'web',
      port: { protocol: 'udp', address: '::', port: 8080 },
      code: '',
    };
    assert.equal(choice.has(udp), false);
  });
});

describe('a host port that the operating system refuses', () => {
  it('is given up where it was asked for by its number', () => {
    const choice = choose(newAllocator(), [8080, 8080]);
    choice.next();
    assert.equal(choice.retry(failed('0.0.0.0', 8080)), false);
  });

  it('is followed by the next one of its range, to the end', () => {
    const choice = choose(newAllocator(), [8000, 8002]);
    choice.next();
    assert.equal(choice.retry(failed('0.0.0.0', 8000)), true);
    assert.equal(
      choice.has(failed('::', 8000)),
      false,
      'the failure of the other address is of no interest any more',
    );
    assert.equal(choice.retry(failed('0.0.0.0', 8001)), true);
    assert.deepEqual(shown(choice.ports), ['0.0.0.0 8002', ':: 8002']);
    assert.equal(choice.retry(failed('0.0.0.0', 8002)), false);
    assert.deepEqual(choice.ports, []);
  });

  it('is followed by ten random ports at most', () => {
    const choice = choose(newAllocator(), [0, 0]);
    choice.next();
    let retries = 0;
    while (choice.retry(failed('0.0.0.0', 32768 + retries))) retries++;
    assert.equal(retries, 9);
    choice.release();
  });

  it('is not followed by others where the reason is not that somebody has it', () => {
    for (const code of ['EACCES', 'EADDRNOTAVAIL', 'EINVAL']) {
      const choice = choose(newAllocator(), [0, 0], ['198.51.100.7']);
      choice.next();
      assert.equal(choice.retry(failed('198.51.100.7', 32768, code)), false, code);
    }
  });

  for (const code of ['EAFNOSUPPORT', 'EADDRNOTAVAIL']) {
    it(`for want of IPv6 (${code}) is done without where every address was meant`, () => {
      const allocator = newAllocator();
      const choice = choose(allocator, [8000, 8001]);
      choice.next();
      assert.equal(choice.retry(failed('::', 8000, code)), true);
      assert.deepEqual(shown(choice.ports), ['0.0.0.0 8000']);
      assert.equal(allocator.isFree('tcp', '::', 8000), true);
      assert.equal(choice.retry(failed('0.0.0.0', 8000)), true);
      assert.deepEqual(shown(choice.ports), ['0.0.0.0 8001'], 'for the next number too');

      const ipv6 = choose(allocator, [0, 0], ['::']);
      ipv6.next();
      assert.equal(ipv6.retry(failed('::', 32768, code)), false, 'but not where it was asked for');
    });
  }
});

describe('what is said of a port that cannot be had', () => {
  it('names the address where Seaway has given it out', () => {
    const allocator = newAllocator();
    allocator.take({ port: 80, protocol: 'tcp', hostAddress: '::1', hostPort: 8080 });
    const choice = choose(allocator, [8080, 8080]);
    assert.equal(choice.next(), false);
    const taken = choice.takenPort()!;
    assert.deepEqual(shown([taken]), [':: 8080']);
    assert.equal(
      takenText(taken, 'db'),
      'Bind for [::]:8080 failed: port is already allocated by container db',
    );
    const here = { ...taken, hostAddress: '0.0.0.0' };
    assert.equal(takenText(here, undefined), 'Bind for 0.0.0.0:8080 failed: port is already allocated');
  });

  it('names none where several would have done', () => {
    assert.equal(choose(newAllocator(), [8080, 8081]).takenPort(), undefined);
    assert.equal(choose(newAllocator(), [0, 0]).takenPort(), undefined);
  });

  it('says why the operating system refused, in words where there are such', () => {
    const text = 'failed to bind host port 0.0.0.0:8080/tcp';
    assert.equal(refusalText(failed('0.0.0.0', 8080)), `${text}: address already in use`);
    assert.equal(refusalText(failed('0.0.0.0', 8080, 'EIO')), `${text}: EIO`);
    assert.equal(
      refusalText(failed('2001:db8::7', 80, 'EADDRNOTAVAIL')),
      'failed to bind host port [2001:db8::7]:80/tcp: cannot assign requested address',
    );
  });
});
