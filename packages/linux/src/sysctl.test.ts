import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isErrno } from './errno.ts';
import { readSysctl, sysctlFile, writeSysctl } from './sysctl.ts';

test('a parameter may be written with dots, with slashes, or in parts', () => {
  const file = '/proc/sys/net/ipv4/ip_forward';
  assert.equal(sysctlFile('net.ipv4.ip_forward'), file);
  assert.equal(sysctlFile('net/ipv4/ip_forward'), file);
  assert.equal(sysctlFile(['net', 'ipv4', 'ip_forward']), file);
  assert.equal(
    sysctlFile(['net', 'ipv4', 'conf', 'eth0.5', 'rp_filter']),
    '/proc/sys/net/ipv4/conf/eth0.5/rp_filter',
  );
  assert.equal(sysctlFile('net/ipv4/conf/eth0.5/rp_filter'), '/proc/sys/net/ipv4/conf/eth0.5/rp_filter');
});

test('a path that leads out of /proc/sys is refused', () => {
  for (const path of ['', '..', 'net/../../self', 'net..ipv4', '/etc/passwd', 'net.ipv4.']) {
    assert.throws(() => sysctlFile(path), RangeError, path);
  }
  for (const parts of [[], ['..', 'x'], ['net', 'a/b'], ['net', ''], ['net', '.'], ['net', 'x\0y']]) {
    assert.throws(() => sysctlFile(parts), RangeError, JSON.stringify(parts));
  }
});

test('a value is read without its line end', () => {
  assert.equal(readSysctl('kernel.ostype'), 'Linux');
});

test('a parameter that does not exist is ENOENT, for reading and for writing', () => {
  assert.throws(
    () => readSysctl('net.nope'),
    (error) => isErrno(error, 'ENOENT'),
  );
  assert.throws(
    () => writeSysctl('net.nope', 1),
    (error) => isErrno(error, 'ENOENT'),
  );
});
