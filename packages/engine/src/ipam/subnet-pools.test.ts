import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatSubnet, mustParseSubnet, type Subnet } from '../base/address.ts';
import { claimSubnet, defaultSubnetPools, parseSubnetPool } from './subnet-pools.ts';

describe('choosing a subnet', () => {
  it("follows Docker's pools and holds exactly 31 networks", () => {
    const taken: Subnet[] = [];
    for (let i = 0; i < 31; i++) taken.push(claimSubnet(defaultSubnetPools, taken));
    const names = taken.map(formatSubnet);
    assert.equal(names[0], '172.17.0.0/16');
    assert.equal(names[14], '172.31.0.0/16');
    assert.equal(names[15], '192.168.0.0/20');
    assert.equal(names[30], '192.168.240.0/20');
    assert.throws(() => claimSubnet(defaultSubnetPools, taken), {
      kind: 'invalid',
      message: 'all predefined address pools have been fully subnetted',
    });
    taken.splice(3, 1);
    assert.equal(
      formatSubnet(claimSubnet(defaultSubnetPools, taken)),
      '172.20.0.0/16',
      'a freed subnet comes back',
    );
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
