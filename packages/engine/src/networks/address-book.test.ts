import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { ContainerId, NetworkId } from '../base/ids.ts';
import { noEndpointSettings } from '../model/container.ts';
import { networkRecord } from '../model/fixtures.ts';
import { AddressBook } from './address-book.ts';

const network = networkRecord({
  id: 'n'.repeat(64) as NetworkId,
  name: 'shop',
  enableIpv6: true,
  subnets: [
    { subnet: '10.0.0.0/29', gateway: '10.0.0.1', auxiliary: { printer: '10.0.0.3' } },
    { subnet: 'fd00::/64', gateway: 'fd00::1' },
  ],
});
const web = 'web' as ContainerId;
const db = 'db' as ContainerId;

describe('the address book', () => {
  let book: AddressBook;
  beforeEach(() => {
    book = new AddressBook();
    book.open(network, [{ ipv4Address: '10.0.0.2', ipv6Address: 'fd00::2' }]);
  });
  const claim = (settings = {}, holder = web, kept = {}) =>
    book.claim(network, { ...noEndpointSettings, ...settings }, holder, kept);

  it('gives the lowest free address of each family, past those that are taken or never given out', () => {
    assert.deepEqual(claim(), { ipv4Address: '10.0.0.4', ipv6Address: 'fd00::3' });
  });

  it('gives the address that is asked for, in its canonical form', () => {
    assert.deepEqual(claim({ ipv4Address: '10.0.0.6', ipv6Address: 'fd00:0::00aa' }), {
      ipv4Address: '10.0.0.6',
      ipv6Address: 'fd00::aa',
    });
  });

  for (const [name, settings, kind, message] of [
    ['taken', { ipv4Address: '10.0.0.2' }, 'forbidden', 'Address already in use'],
    ['of the gateway', { ipv4Address: '10.0.0.1' }, 'forbidden', 'Address already in use'],
    ['that is never given out', { ipv4Address: '10.0.0.3' }, 'forbidden', 'Address already in use'],
    ['that reaches all', { ipv4Address: '10.0.0.7' }, 'forbidden', 'Address already in use'],
    ['outside', { ipv4Address: '10.0.0.8' }, 'invalid', 'no configured subnet contains IP address 10.0.0.8'],
  ] as const) {
    it(`refuses one ${name}, and keeps nothing of the claim`, () => {
      assert.throws(() => claim(settings), { kind, message });
      assert.throws(() => claim({ ...settings, ipv6Address: 'fd00::9' }), { kind, message });
      assert.deepEqual(claim({ ipv6Address: 'fd00::9' }).ipv6Address, 'fd00::9');
    });
  }

  it('refuses an address of a family that the network does not have', () => {
    const plain = { ...network, id: 'p' as NetworkId, subnets: network.subnets.slice(0, 1) };
    book.open(plain, []);
    assert.throws(() => book.claim(plain, { ...noEndpointSettings, ipv6Address: 'fd00::5' }, web), {
      kind: 'invalid',
      message: 'no configured subnet contains IP address fd00::5',
    });
    assert.deepEqual(book.claim(plain, noEndpointSettings, web), { ipv4Address: '10.0.0.2' });
  });

  it('says which family has no address left, and gives the other one back', () => {
    for (const last of [4, 5, 6]) claim({ ipv4Address: `10.0.0.${last}` });
    assert.throws(() => claim({ ipv6Address: 'fd00::9' }), {
      kind: 'internal',
      message: `no available IPv4 addresses on this network's address pools: shop (${network.id})`,
    });
    book.release(network.id, { ipv4Address: '10.0.0.5' });
    assert.deepEqual(claim({ ipv6Address: 'fd00::9' }), { ipv4Address: '10.0.0.5', ipv6Address: 'fd00::9' });
  });

  it('keeps reserved addresses for their holder alone, before and after it has them', () => {
    book.reserve(network.id, db, [{ ipv4Address: '10.0.0.4' }]);
    assert.equal(claim().ipv4Address, '10.0.0.5');
    assert.throws(() => claim({ ipv4Address: '10.0.0.4' }), { message: 'Address already in use' });
    const had = claim({ ipv4Address: '10.0.0.4' }, db);
    book.release(network.id, had);
    assert.throws(() => claim({ ipv4Address: '10.0.0.4' }), { message: 'Address already in use' });
    book.reserve(network.id, db, []);
    assert.equal(claim({ ipv4Address: '10.0.0.4' }).ipv4Address, '10.0.0.4');
  });

  it('gives an address again that is kept, and another where that is impossible', () => {
    assert.equal(claim({}, web, { ipv4Address: '10.0.0.6' }).ipv4Address, '10.0.0.6');
    assert.equal(claim({}, db, { ipv4Address: '10.0.0.6', ipv6Address: 'fe80::1' }).ipv4Address, '10.0.0.4');
  });

  it('knows nothing of a network whose page was closed', () => {
    book.close(network.id);
    assert.deepEqual(claim(), {});
    book.release(network.id, { ipv4Address: '10.0.0.2' });
  });
});
