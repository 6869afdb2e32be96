import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatSubnet, mustParseSubnet, overlaps, type Subnet } from '../base/address.ts';
import {
  claimSubnet,
  defaultSubnetPools,
  parseSubnetPool,
  proposeSubnet,
  uniqueLocalPool,
} from './subnet-pools.ts';

describe('choosing a subnet', () => {
  it("follows Docker's pools, and goes on in smaller pieces when those are full", () => {
    const taken: Subnet[] = [];
    for (let i = 0; i < 31 + 512; i++) taken.push(claimSubnet(defaultSubnetPools, taken));
    const names = taken.map(formatSubnet);
    assert.equal(names[0], '172.17.0.0/16');
    assert.equal(names[14], '172.31.0.0/16');
    assert.equal(names[15], '192.168.0.0/20');
    assert.equal(names[30], '192.168.240.0/20');
    assert.equal(names[31], '172.16.0.0/25');
    assert.equal(names.at(-1), '172.16.255.128/25');
    assert.throws(() => claimSubnet(defaultSubnetPools, taken), {
      kind: 'invalid',
      message: /^all predefined address pools have been fully subnetted: .*--subnet.*--default-address-pool/,
    });
    const [freed] = taken.splice(3, 1);
    assert.equal(
      formatSubnet(claimSubnet(defaultSubnetPools, taken.toReversed())),
      formatSubnet(freed!),
      'a freed subnet comes back',
    );
  });

  it('goes on in smaller pieces only with the built-in pools', () => {
    const pool = parseSubnetPool('base=10.20.0.0/24,size=24');
    assert.throws(() => claimSubnet([pool], [pool.base]), { code: 'subnets-exhausted' });
    assert.equal(formatSubnet(claimSubnet([], [])), '172.17.0.0/16');
    assert.throws(() => claimSubnet([], [], { family: 'ipv6' }), { code: 'subnets-exhausted' });
  });

  it('cuts pools into another size where that fits', () => {
    assert.equal(
      formatSubnet(claimSubnet(defaultSubnetPools, [mustParseSubnet('172.17.0.0/24')], { size: 26 })),
      '172.17.1.0/26',
    );
    assert.equal(formatSubnet(claimSubnet(defaultSubnetPools, [], { size: 14 })), '172.20.0.0/14');
    assert.throws(() => claimSubnet(defaultSubnetPools, [], { size: 12 }), { code: 'subnets-exhausted' });
  });

  it('finds the gaps that a plain search finds', () => {
    const pools = ['base=10.0.0.0/28,size=30', 'base=10.0.0.64/26,size=28'].map(parseSubnetPool);
    const all = pools.flatMap(({ base, size }) =>
      Array.from(
        { length: 2 ** (size - base.prefixLength) },
        (_, index): Subnet => ({
          family: 'ipv4',
          base: base.base + BigInt(index) * (1n << BigInt(32 - size)),
          prefixLength: size,
        }),
      ),
    );
    const obstacles = [
      '10.0.0.0/30',
      '10.0.0.6/32',
      '10.0.0.0/29',
      '10.0.0.13/32',
      '10.0.0.64/27',
      '10.0.0.100/30',
      '10.0.0.0/8',
      'fd00::/8',
    ];
    for (let mask = 0; mask < 2 ** obstacles.length; mask++) {
      const avoid = obstacles.filter((_, index) => mask & (1 << index)).map(mustParseSubnet);
      const expected = all.find((subnet) => !avoid.some((other) => overlaps(subnet, other)));
      const claim = () => formatSubnet(claimSubnet(pools, avoid));
      if (expected) assert.equal(claim(), formatSubnet(expected), avoid.map(formatSubnet).join());
      else assert.throws(claim, { code: 'subnets-exhausted' });
    }
  });

  it('goes around what the host uses', () => {
    const avoid = ['172.17.4.0/24', '172.18.0.1/32'].map(mustParseSubnet);
    assert.equal(formatSubnet(claimSubnet(defaultSubnetPools, avoid)), '172.19.0.0/16');
  });
});

describe('--default-address-pool', () => {
  it('is a base and a size', () => {
    const pool = parseSubnetPool('base=10.20.0.0/16,size=24');
    assert.equal(formatSubnet(claimSubnet([pool], [mustParseSubnet('10.20.0.0/24')])), '10.20.1.0/24');
  });

  it('refuses anything else, naming it', () => {
    for (const text of [
      '',
      'base=10.0.0.0/8',
      'size=24',
      'base=10.0.0.0/16,size=8',
      'base=10.0.0.0/16,size=x',
      'base=10.0.0.0/16,size=24,x=1',
    ]) {
      assert.throws(
        () => parseSubnetPool(text),
        (error: Error) => error.message.includes(`'${text}'`),
        text,
      );
    }
    assert.throws(() => parseSubnetPool('base=junk,size=24'), /invalid subnet junk/);
  });
});

describe("the host's own IPv6 pool", () => {
  it('is a unique local /48 out of the digest of its id', () => {
    // printf host | sha256sum
    const pool = uniqueLocalPool('host');
    assert.equal(formatSubnet(pool.base), 'fd5b:3f47:5145::/48');
    assert.equal(pool.size, 64);
    assert.notEqual(uniqueLocalPool('other').base.base, pool.base.base);
  });

  it('gives out its /64s from the lowest', () => {
    const pool = uniqueLocalPool('host');
    const first = claimSubnet([pool], [], { family: 'ipv6' });
    assert.equal(formatSubnet(first), 'fd5b:3f47:5145::/64');
    assert.equal(formatSubnet(claimSubnet([pool], [first], { family: 'ipv6' })), 'fd5b:3f47:5145:1::/64');
  });
});

describe('a proposal instead of a subnet', () => {
  const propose = (wanted: string, ...avoid: string[]) => {
    const subnet = proposeSubnet(mustParseSubnet(wanted), avoid.map(mustParseSubnet));
    return subnet && formatSubnet(subnet);
  };

  it('is the next one above in the same private block, else the lowest, else one of another block', () => {
    assert.equal(propose('10.98.0.0/24', '10.98.0.0/16'), '10.99.0.0/24');
    assert.equal(propose('192.168.255.0/24', '192.168.255.0/24'), '192.168.0.0/24');
    assert.equal(propose('192.168.0.0/16', '192.168.4.0/24', '172.17.0.0/16'), '172.16.0.0/16');
    assert.equal(propose('198.51.100.0/24', '192.168.0.0/24'), '192.168.1.0/24');
    assert.equal(propose('fd00:1::/64', 'fd00:1::/64'), 'fd00:1:0:1::/64');
    assert.equal(propose('2001:db8::/64'), 'fd00::/64');
  });

  it('is none where no private block has that much room', () => {
    assert.equal(propose('10.0.0.0/8', '10.1.0.0/16'), undefined);
    assert.equal(propose('0.0.0.0/1'), undefined);
    assert.equal(propose('2000::/3'), undefined);
  });
});
