import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultCapabilities } from './capabilities.ts';
import {
  buildOciSpec,
  defaultMaskedPaths,
  defaultReadonlyPaths,
  type OciSpec,
  type OciSpecInput,
} from './oci-spec.ts';

const usual: OciSpecInput = {
  rootfs: '/data/merged',
  readonlyRootfs: false,
  args: ['sleep', '60'],
  env: ['PATH=/bin'],
  cwd: '/',
  terminal: false,
  user: { uid: 0, gid: 0, additionalGids: [10] },
  hostname: 'web',
  network: { kind: 'path', path: '/run/netns/web' },
  ownsNetwork: true,
  uts: 'private',
  pid: 'private',
  ipc: 'private',
  cgroupsPath: '/seaway/web',
  cgroupns: 'host',
  capabilities: defaultCapabilities,
  privileged: false,
  noNewPrivileges: false,
  seccomp: 'default',
  mounts: [],
  sharedMemory: { kind: 'own', sizeBytes: 67108864 },
  devices: [],
  deviceRules: [],
  sysctls: {},
  rlimits: [],
  resources: {},
  annotations: {},
  architecture: 'x64',
  kernel: [6, 18],
};

function mountAt(spec: OciSpec, destination: string): OciSpec['mounts'][number] {
  const found = spec.mounts.filter((mount) => mount.destination === destination);
  assert.equal(found.length, 1, `one mount at ${destination}`);
  return found[0]!;
}

test('the process runs as asked, with the capabilities as bounding, permitted and effective set', () => {
  const { process, root, hostname } = buildOciSpec({ ...usual, oomScoreAdj: 100 });
  assert.deepEqual(process.args, ['sleep', '60']);
  assert.deepEqual(process.user, { uid: 0, gid: 0, additionalGids: [10] });
  for (const set of ['bounding', 'permitted', 'effective'] as const) {
    assert.deepEqual(process.capabilities[set], defaultCapabilities, set);
  }
  assert.deepEqual(process.capabilities.ambient, []);
  assert.equal(process.oomScoreAdj, 100);
  assert.deepEqual(root, { path: '/data/merged', readonly: false });
  assert.equal(hostname, 'web');
});

test('another user than root starts without capabilities', () => {
  const { capabilities } = buildOciSpec({
    ...usual,
    user: { uid: 33, gid: 33, additionalGids: [], umask: 0o22 },
  }).process;
  assert.deepEqual(capabilities.bounding, defaultCapabilities);
  assert.deepEqual(capabilities.permitted, []);
  assert.deepEqual(capabilities.effective, []);
});

test('the default mounts are those of Docker', () => {
  const spec = buildOciSpec(usual);
  assert.deepEqual(
    spec.mounts.map((mount) => mount.destination),
    ['/proc', '/dev', '/sys', '/dev/pts', '/dev/mqueue', '/dev/shm', '/sys/fs/cgroup'],
  );
  assert.deepEqual(mountAt(spec, '/sys').options, ['nosuid', 'noexec', 'nodev', 'ro']);
  assert.deepEqual(mountAt(spec, '/dev/shm').options, [
    'nosuid',
    'noexec',
    'nodev',
    'mode=1777',
    'size=67108864',
  ]);
});

test('a /dev of their own has nothing of the default one in it', () => {
  const spec = buildOciSpec({
    ...usual,
    mounts: [{ destination: '/dev/', type: 'bind', source: '/dev', options: ['rbind'] }],
  });
  const below = spec.mounts.filter(({ destination }) => destination.startsWith('/dev'));
  assert.deepEqual(
    below.map(({ destination, source }) => [destination, source]),
    [['/dev/', '/dev']],
  );
});

test('extra mounts are placed by depth and take the place of a default one', () => {
  const bind = (destination: string) => ({ destination, source: '/src', type: 'bind', options: ['rbind'] });
  const spec = buildOciSpec({
    ...usual,
    mounts: [bind('/a/b/c'), bind('/etc/hosts'), bind('/a'), bind('/dev/shm/'), bind('/a/b')],
  });
  const order = spec.mounts.map((mount) => mount.destination);
  assert.ok(order.indexOf('/a') < order.indexOf('/a/b'));
  assert.ok(order.indexOf('/a/b') < order.indexOf('/a/b/c'));
  assert.ok(order.includes('/etc/hosts'));
  assert.equal(order.includes('/dev/shm'), false);
  assert.equal(mountAt(spec, '/dev/shm/').type, 'bind');
});

test('private namespaces are new ones, the network is joined by path', () => {
  assert.deepEqual(buildOciSpec(usual).linux.namespaces, [
    { type: 'mount' },
    { type: 'network', path: '/run/netns/web' },
    { type: 'uts' },
    { type: 'pid' },
    { type: 'ipc' },
  ]);
});

test('host namespaces are left out, with the hostname and the shared memory that go with them', () => {
  const spec = buildOciSpec({
    ...usual,
    network: { kind: 'host' },
    uts: 'host',
    pid: 'host',
    ipc: 'host',
    sharedMemory: { kind: 'folder', path: '/dev/shm' },
    domainname: 'example.org',
  });
  assert.deepEqual(spec.linux.namespaces, [{ type: 'mount' }]);
  assert.equal('hostname' in spec, false);
  assert.deepEqual(spec.linux.sysctl, {});
  assert.equal(mountAt(spec, '/dev/shm').source, '/dev/shm');
});

test('namespaces may be those of another container', () => {
  const { linux } = buildOciSpec({
    ...usual,
    pid: { path: '/proc/7/ns/pid' },
    ipc: { path: '/proc/7/ns/ipc' },
    cgroupns: 'private',
  });
  assert.deepEqual(linux.namespaces.slice(3), [
    { type: 'pid', path: '/proc/7/ns/pid' },
    { type: 'ipc', path: '/proc/7/ns/ipc' },
    { type: 'cgroup' },
  ]);
});

test('shared memory may be absent', () => {
  const { mounts } = buildOciSpec({ ...usual, sharedMemory: { kind: 'none' } });
  assert.equal(
    mounts.find(({ destination }) => destination === '/dev/shm'),
    undefined,
  );
});

test('devices that are given come with rules, after those that deny and those that all have', () => {
  const device = { type: 'c', path: '/dev/x', major: 10, minor: 9, fileMode: 0o600, uid: 0, gid: 0 } as const;
  const rule = { allow: true, type: 'c', major: 10, minor: 9, access: 'r' } as const;
  const { linux } = buildOciSpec({ ...usual, devices: [device], deviceRules: [rule] });
  assert.deepEqual(linux.devices, [device]);
  assert.deepEqual(linux.resources.devices.at(-1), rule);
});

test('a filter of the users holds in place of ours, also for a privileged container', () => {
  const seccomp = { defaultAction: 'SCMP_ACT_ALLOW', architectures: [], syscalls: [] };
  assert.deepEqual(buildOciSpec({ ...usual, seccomp, privileged: true }).linux.seccomp, seccomp);
});

test('low ports and ping are open to every user only in a network of its own', () => {
  assert.deepEqual(buildOciSpec(usual).linux.sysctl, {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
  });
  assert.deepEqual(buildOciSpec({ ...usual, ownsNetwork: false }).linux.sysctl, {});
  const chosen = { 'net.ipv4.ip_unprivileged_port_start': '1024', 'kernel.shmmax': '1' };
  assert.deepEqual(buildOciSpec({ ...usual, sysctls: chosen, domainname: 'example.org' }).linux.sysctl, {
    'net.ipv4.ip_unprivileged_port_start': '1024',
    'net.ipv4.ping_group_range': '0 2147483647',
    'kernel.domainname': 'example.org',
    'kernel.shmmax': '1',
  });
});

test('the host is masked and filtered, unless privileged', () => {
  const { linux } = buildOciSpec(usual);
  assert.deepEqual(linux.maskedPaths, defaultMaskedPaths);
  assert.deepEqual(linux.readonlyPaths, defaultReadonlyPaths);
  assert.equal(linux.seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
  assert.deepEqual(linux.resources.devices[0], { allow: false, access: 'rwm' });

  const privileged = buildOciSpec({ ...usual, privileged: true });
  assert.deepEqual(privileged.linux.maskedPaths, []);
  assert.deepEqual(privileged.linux.readonlyPaths, []);
  assert.equal(privileged.linux.seccomp, undefined);
  assert.deepEqual(privileged.linux.resources.devices, [{ allow: true, access: 'rwm' }]);
  assert.ok(mountAt(privileged, '/sys').options.includes('rw'));

  assert.equal(buildOciSpec({ ...usual, seccomp: 'unconfined' }).linux.seccomp, undefined);
  assert.deepEqual(buildOciSpec({ ...usual, maskedPaths: [], readonlyPaths: ['/x'] }).linux.readonlyPaths, [
    '/x',
  ]);
});

test('only the limits that were asked for are written', () => {
  const none = buildOciSpec(usual).linux.resources;
  assert.deepEqual(Object.keys(none), ['devices']);
  const { devices: _, ...limits } = buildOciSpec({
    ...usual,
    resources: {
      memoryBytes: 67108864,
      memorySwapBytes: -1,
      cpuQuotaUs: 50000,
      cpuPeriodUs: 100000,
      pidsLimit: 30,
      cpusetCpus: '0-1',
      blockIo: { weight: 300 },
      realtimeRuntimeUs: 9,
    },
  }).linux.resources;
  assert.deepEqual(limits, {
    memory: { limit: 67108864, swap: -1 },
    cpu: { quota: 50000, period: 100000, cpus: '0-1', realtimeRuntime: 9 },
    pids: { limit: 30 },
    blockIO: { weight: 300 },
  });
});
