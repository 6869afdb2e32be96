import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  broadcastAddress,
  contains,
  formatAddress,
  formatSubnet,
  lastAddress,
  mustParseAddress,
  mustParseSubnet,
  overlaps,
  parseAddress,
  parseCidr,
} from './address.ts';

describe('addresses', () => {
  it('formats what it parsed in canonical form', () => {
    const canonical: Record<string, string> = {
      '172.17.0.2': '172.17.0.2',
      '255.255.255.255': '255.255.255.255',
      '::': '::',
      '::1': '::1',
      '2001:DB8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
      'fe80:0:0:0:0:0:0:1': 'fe80::1',
      '1:2:3:4:5:6:7:8': '1:2:3:4:5:6:7:8',
      '1:0:2:0:3:0:4:0': '1:0:2:0:3:0:4:0',
      '::ffff:192.0.2.1': '::ffff:c000:201',
      'fd00::': 'fd00::',
    };
    for (const [text, formatted] of Object.entries(canonical)) {
      assert.equal(formatAddress(mustParseAddress(text)), formatted);
    }
  });

  it('refuses what is no address', () => {
    for (const text of [
      '',
      '1.2.3',
      '1.2.3.256',
      '01.2.3.4.5',
      'localhost',
      'fe80::1%eth0',
      '1::2::3',
      '10.0.0.0/8',
    ]) {
      assert.equal(parseAddress(text), undefined, text);
    }
  });

  it('keeps the address of a block with host bits beside the block', () => {
    const parsed = parseCidr('172.17.0.1/16');
    assert.ok(parsed);
    assert.equal(formatAddress(parsed.address), '172.17.0.1');
    assert.equal(formatSubnet(parsed.subnet), '172.17.0.0/16');
    assert.equal(formatAddress({ family: 'ipv4', value: lastAddress(parsed.subnet) }), '172.17.255.255');
  });

  it('knows the broadcast address where there is one', () => {
    assert.equal(broadcastAddress(mustParseSubnet('172.17.0.0/16')), '172.17.255.255');
    for (const block of ['192.0.2.0/31', '192.0.2.1/32', 'fd00::/64']) {
      assert.equal(broadcastAddress(mustParseSubnet(block)), undefined);
    }
  });

  it('refuses what is no block', () => {
    for (const text of [
      '10.0.0.0',
      '10.0.0.0/33',
      'fd00::/129',
      '/8',
      '10.0.0.0/',
      '10.0.0.0/-1',
      '10.0.0.0/8/8',
    ]) {
      assert.equal(parseCidr(text), undefined, text);
    }
  });

  it('tells containment and overlap, never across families', () => {
    const wide = mustParseSubnet('10.0.0.0/8');
    assert.ok(contains(wide, mustParseAddress('10.255.255.255')));
    assert.ok(!contains(wide, mustParseAddress('11.0.0.0')));
    assert.ok(!contains(mustParseSubnet('::/0'), mustParseAddress('10.0.0.1')));
    assert.ok(overlaps(wide, mustParseSubnet('10.1.2.0/24')));
    assert.ok(overlaps(mustParseSubnet('10.1.2.0/24'), wide));
    assert.ok(!overlaps(wide, mustParseSubnet('11.0.0.0/8')));
    assert.ok(!overlaps(mustParseSubnet('0.0.0.0/0'), mustParseSubnet('::/0')));
  });
});
