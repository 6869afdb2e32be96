import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noEndpointSettings } from '@seaway/engine';
import { moveInterfaceSysctls } from './interface-sysctls.ts';

const option = 'com.docker.network.endpoint.sysctls';
const name = 'net.ipv4.conf.eth0.log_martians';

test('parameters of no interface stay where they are, in every version', () => {
  for (const version of [124, 147, 148]) {
    const sysctls = { 'net.core.somaxconn': '1', 'net.ipv4.conf.all.forwarding': '1', 'kernel.msgmax': '9' };
    const moved = moveInterfaceSysctls(sysctls, noEndpointSettings, version);
    assert.deepEqual(moved, { sysctls, settings: noEndpointSettings, warnings: [] });
  }
});

test('parameters of eth0 go to the main network, where what is said there already comes last and so wins', () => {
  const own = 'net.ipv4.conf.IFNAME.log_martians=0';
  const moved = moveInterfaceSysctls(
    { [name]: '1', 'net.ipv6.conf.eth0.accept_ra': '2', 'net.core.somaxconn': '1' },
    { ...noEndpointSettings, driverOptions: { [option]: own, other: 'x' } },
    147,
  );
  assert.deepEqual(moved.sysctls, { 'net.core.somaxconn': '1' });
  const text = 'net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.IFNAME.accept_ra=2';
  assert.deepEqual(moved.settings.driverOptions, { [option]: `${text},${own}`, other: 'x' });
  assert.deepEqual(moved.warnings, [
    `Migrated sysctl "${name},net.ipv6.conf.eth0.accept_ra" to DriverOpts{"${option}":"${text}"}.`,
  ]);
});

test('those of other interfaces, and all of them by newer clients, are refused', () => {
  const refused = (sysctl: string, version: number, message: string) =>
    assert.throws(() => moveInterfaceSysctls({ [sysctl]: '1' }, noEndpointSettings, version), {
      kind: 'invalid',
      code: 'sysctl-of-an-interface',
      message,
    });
  const eth1 = 'net.ipv4.conf.eth1.log_martians';
  refused(
    eth1,
    147,
    `unable to determine network endpoint for sysctl ${eth1}, use driver option '${option}' to set per-interface sysctls`,
  );
  refused(
    name,
    148,
    `interface specific sysctl setting "${name}" must be supplied using driver option '${option}'`,
  );
});
