import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  endpointOptionProblems,
  interfaceNameOption,
  interfaceSysctlsOption,
  parseInterfaceSysctls,
  sysctlPath,
} from './endpoint-options.ts';

describe('kernel parameters of an interface', () => {
  it('are read with dots or slashes, several at once', () => {
    assert.deepEqual(parseInterfaceSysctls(''), []);
    const [first, second] = parseInterfaceSysctls(
      'net.ipv4.conf.IFNAME.log_martians=1,net/ipv6/conf/IFNAME/accept_ra=0',
    );
    assert.deepEqual(sysctlPath(first!, 'eth.5'), ['net', 'ipv4', 'conf', 'eth.5', 'log_martians']);
    assert.equal(first![1], '1');
    assert.deepEqual(sysctlPath(second!, 'eth0'), ['net', 'ipv6', 'conf', 'eth0', 'accept_ra']);
    assert.equal(second![1], '0');
    assert.deepEqual(
      parseInterfaceSysctls('net.ipv4.conf.ifname.log_martians=1'),
      parseInterfaceSysctls('net.ipv4.conf.IFNAME.log_martians=1'),
    );
  });

  for (const bad of [
    'net.ipv4.conf.eth0.log_martians=1',
    'net.ipv4.conf.IFNAME.log_martians',
    'kernel.IFNAME.x.y=1',
    'net.core.conf.IFNAME.x=1',
    'net.ipv4.conf.IFNAME.../..=1',
  ]) {
    it(`${bad} is none`, () => {
      assert.throws(() => parseInterfaceSysctls(bad), {
        kind: 'invalid',
        message: `unrecognised network interface sysctl '${bad}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
      });
    });
  }
});

describe('options of an endpoint', () => {
  it('are fine without a name and with one that the kernel takes', () => {
    assert.deepEqual(endpointOptionProblems({}), []);
    assert.deepEqual(endpointOptionProblems({ [interfaceNameOption]: 'wan0' }), []);
  });

  for (const name of ['', 'lo', 'a/b', 'with space', 'x'.repeat(16), '..']) {
    it(`an interface cannot be called '${name}'`, () => {
      assert.deepEqual(endpointOptionProblems({ [interfaceNameOption]: name }), [
        `invalid interface name: ${name}`,
      ]);
    });
  }

  it('name every problem', () => {
    const problems = endpointOptionProblems({
      [interfaceNameOption]: 'lo',
      [interfaceSysctlsOption]: 'junk',
    });
    assert.equal(problems.length, 2);
    assert.match(problems[1]!, /^unrecognised network interface sysctl 'junk'/);
  });
});
