import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatAddress, mustParseAddress, mustParseSubnet } from '../base/address.ts';
import { AddressPool, defaultGateway } from './address-pool.ts';

const ip = mustParseAddress;

function pool(subnet: string, range?: string, reserved: string[] = []): AddressPool {
  return new AddressPool({
    subnet: mustParseSubnet(subnet),
    ...(range ? { range: mustParseSubnet(range) } : {}),
    reserved: reserved.map(ip),
  });
}

function claimAll(from: AddressPool): string[] {
  const all: string[] = [];
  for (let next = from.claimNext(); next; next = from.claimNext()) all.push(formatAddress(next));
  return all;
}

describe('an address pool', () => {
  it('gives the lowest free address every time', () => {
    const addresses = pool('172.17.0.0/16', undefined, ['172.17.0.1']);
    assert.equal(formatAddress(addresses.claimNext()!), '172.17.0.2');
    assert.equal(formatAddress(addresses.claimNext()!), '172.17.0.3');
    assert.equal(formatAddress(addresses.claimNext()!), '172.17.0.4');
    addresses.release(ip('172.17.0.3'));
    addresses.release(ip('172.17.0.3'));
    assert.equal(formatAddress(addresses.claimNext()!), '172.17.0.3');
    assert.equal(formatAddress(addresses.claimNext()!), '172.17.0.5');
  });

  it('never gives the network, broadcast, gateway or reserved addresses, and then is empty', () => {
    const addresses = pool('192.0.2.0/29', undefined, ['192.0.2.1', '192.0.2.4', '10.9.9.9']);
    assert.deepEqual(claimAll(addresses), ['192.0.2.2', '192.0.2.3', '192.0.2.5', '192.0.2.6']);
    assert.equal(addresses.claimNext(), undefined);
    addresses.release(ip('192.0.2.5'));
    assert.deepEqual(claimAll(addresses), ['192.0.2.5']);
  });

  it('keeps automatic claims inside the range, whose edges are usable', () => {
    const addresses = pool('10.78.0.0/24', '10.78.0.128/29', ['10.78.0.128']);
    assert.deepEqual(
      claimAll(addresses),
      [129, 130, 131, 132, 133, 134, 135].map((n) => `10.78.0.${n}`),
    );
    addresses.claim(ip('10.78.0.9'));
    addresses.release(ip('10.78.0.9'));
    assert.equal(addresses.claimNext(), undefined, 'an address below the range is not handed out');
  });

  it('uses both addresses of a /31 and the one of a /32', () => {
    assert.deepEqual(claimAll(pool('192.0.2.0/31')), ['192.0.2.0', '192.0.2.1']);
    assert.deepEqual(claimAll(pool('192.0.2.7/32')), ['192.0.2.7']);
  });

  it('does IPv6, where only the first address is special', () => {
    const addresses = pool('fd00:1::/64', undefined, ['fd00:1::1']);
    assert.equal(formatAddress(addresses.claimNext()!), 'fd00:1::2');
    assert.deepEqual(claimAll(pool('fd00::/126')), ['fd00::1', 'fd00::2', 'fd00::3']);
  });

  it('refuses a claimed, reserved, broadcast or foreign address', () => {
    const addresses = pool('172.17.0.0/16', undefined, ['172.17.0.1']);
    addresses.claim(ip('172.17.5.5'));
    for (const taken of ['172.17.5.5', '172.17.0.1', '172.17.0.0', '172.17.255.255']) {
      assert.throws(() => addresses.claim(ip(taken)), {
        kind: 'forbidden',
        message: 'Address already in use',
      });
    }
    for (const foreign of ['172.18.0.1', 'fd00::1']) {
      assert.throws(() => addresses.claim(ip(foreign)), {
        kind: 'invalid',
        message: `no configured subnet contains IP address ${foreign}`,
      });
    }
    addresses.release(ip('172.17.255.255'));
    assert.ok(!addresses.isFree(ip('172.17.255.255')), 'releasing the broadcast address does not free it');
  });

  it('claims around a static address', () => {
    const addresses = pool('172.17.0.0/16', undefined, ['172.17.0.1']);
    addresses.claim(ip('172.17.0.2'));
    assert.equal(formatAddress(addresses.claimNext()!), '172.17.0.3');
  });

  it('stays quick when it is large and full at the bottom', () => {
    const addresses = pool('10.0.0.0/8');
    for (let i = 0; i < 20_000; i++) addresses.claimNext();
    assert.equal(formatAddress(addresses.claimNext()!), '10.0.78.33');
    assert.equal(addresses.takenCount, 20_003);
  });
});

describe('reservations', () => {
  it('keep an address for their holder, also after it was given back', () => {
    const addresses = pool('192.0.2.0/29', undefined, ['192.0.2.1']);
    assert.equal(addresses.reserve(ip('192.0.2.2'), 'web'), true);
    assert.equal(formatAddress(addresses.claimNext()!), '192.0.2.3');
    for (const holder of [undefined, 'other']) {
      assert.throws(() => addresses.claim(ip('192.0.2.2'), holder), {
        kind: 'forbidden',
        message: 'Address already in use',
      });
    }
    addresses.claim(ip('192.0.2.2'), 'web');
    assert.throws(() => addresses.claim(ip('192.0.2.2'), 'web'), { code: 'address-in-use' });
    addresses.release(ip('192.0.2.2'));
    assert.equal(addresses.isFree(ip('192.0.2.2')), false);
    assert.equal(addresses.isFree(ip('192.0.2.2'), 'web'), true);
    assert.deepEqual(claimAll(addresses), ['192.0.2.4', '192.0.2.5', '192.0.2.6']);
  });

  it('end with their holder, and then the lowest free address is first again', () => {
    const addresses = pool('192.0.2.0/28');
    addresses.reserve(ip('192.0.2.2'), 'web');
    addresses.reserve(ip('192.0.2.3'), 'web');
    addresses.reserve(ip('192.0.2.4'), 'db');
    addresses.claim(ip('192.0.2.3'), 'web');
    assert.deepEqual(
      [1, 2].map(() => formatAddress(addresses.claimNext()!)),
      ['192.0.2.1', '192.0.2.5'],
    );
    addresses.unreserve('web');
    addresses.unreserve('web');
    assert.deepEqual(
      [1, 2].map(() => formatAddress(addresses.claimNext()!)),
      ['192.0.2.2', '192.0.2.6'],
    );
    addresses.release(ip('192.0.2.3'));
    assert.equal(formatAddress(addresses.claimNext()!), '192.0.2.3');
  });

  it('cannot be had for an address that someone else has', () => {
    const addresses = pool('192.0.2.0/29', undefined, ['192.0.2.1']);
    const taken = addresses.claimNext()!;
    addresses.reserve(ip('192.0.2.5'), 'db');
    for (const address of [
      formatAddress(taken),
      '192.0.2.1',
      '192.0.2.0',
      '192.0.2.5',
      '192.0.2.9',
      'fd00::1',
    ]) {
      assert.equal(addresses.reserve(ip(address), 'web'), false, address);
    }
    assert.equal(addresses.reserve(ip('192.0.2.5'), 'db'), true, 'asking twice is harmless');
    addresses.unreserve('web');
    assert.equal(addresses.isFree(ip('192.0.2.5')), false);
  });

  it('hold outside the range, where nothing is given out, and for IPv6', () => {
    const addresses = pool('fd00:1::/64', 'fd00:1::8/125');
    assert.equal(addresses.reserve(ip('fd00:1::5'), 'web'), true);
    assert.equal(addresses.reserve(ip('fd00:1::8'), 'web'), true);
    addresses.unreserve('web');
    assert.equal(formatAddress(addresses.claimNext()!), 'fd00:1::8');
  });
});

describe('the default gateway', () => {
  it('is the first usable address of the range, else of the subnet', () => {
    assert.equal(formatAddress(defaultGateway(mustParseSubnet('172.17.0.0/16'))), '172.17.0.1');
    const subnet = mustParseSubnet('10.78.0.0/24');
    assert.equal(formatAddress(defaultGateway(subnet, mustParseSubnet('10.78.0.128/25'))), '10.78.0.128');
    assert.equal(formatAddress(defaultGateway(subnet, undefined, [ip('10.78.0.1')])), '10.78.0.2');
    assert.equal(formatAddress(defaultGateway(mustParseSubnet('fd00::/64'))), 'fd00::1');
  });

  it('cannot be had from a block that is all reserved', () => {
    assert.throws(() => defaultGateway(mustParseSubnet('192.0.2.1/32'), undefined, [ip('192.0.2.1')]), {
      kind: 'invalid',
      code: 'no-address-for-gateway',
    });
  });
});
