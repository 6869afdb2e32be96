/** What the generated runtime configuration does to a real process: runc runs it inside private namespaces. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { arch, release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import {
  defaultCapabilities,
  parseCapabilityMask,
} from '../packages/engine/src/runtime/spec/capabilities.ts';
import { buildOciSpec, type OciSpecInput } from '../packages/engine/src/runtime/spec/oci-spec.ts';

const run = promisify(execFile);
const BUSYBOX = '/bin/busybox';
const cgroupName = `seaway-spec-test-${process.pid}`;
let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spec-test-'));
  await makeRootfs(join(folder, 'rootfs'));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function makeRootfs(root: string): Promise<void> {
  for (const name of ['bin', 'tmp', 'etc']) await mkdir(join(root, name), { recursive: true });
  await chmod(join(root, 'tmp'), 0o1777);
  const { stdout } = await run('ldd', [BUSYBOX]).catch(() => ({ stdout: '' }));
  for (const library of new Set(stdout.match(/\/[^\s)]+/g) ?? [])) {
    await mkdir(dirname(join(root, library)), { recursive: true });
    await copyFile(library, join(root, library));
  }
  await copyFile(BUSYBOX, join(root, 'bin/busybox'));
  for (const name of ['sh', 'cat', 'id', 'hostname', 'ls', 'grep', 'mount', 'unshare', 'touch', 'stat']) {
    await symlink('busybox', join(root, 'bin', name));
  }
}

function input(script: string, changes: Partial<OciSpecInput> = {}): OciSpecInput {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return {
    rootfs: join(folder, 'rootfs'),
    readonlyRootfs: false,
    args: ['/bin/sh', '-c', script],
    env: ['PATH=/bin', 'GREETING=hello world'],
    cwd: '/tmp',
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [] },
    hostname: 'spec-test',
    network: { kind: 'path', path: '/run/container.net' },
    ownsNetwork: true,
    uts: 'private',
    pid: 'private',
    ipc: 'private',
    cgroupsPath: `/${cgroupName}`,
    cgroupns: 'host',
    capabilities: defaultCapabilities,
    privileged: false,
    noNewPrivileges: false,
    seccomp: 'default',
    mounts: [],
    sharedMemory: { kind: 'own', sizeBytes: 8 * 1024 * 1024 },
    devices: [],
    deviceRules: [],
    sysctls: {},
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 200, hard: 300 }],
    resources: { pidsLimit: 50, memoryBytes: 64 * 1024 * 1024 },
    annotations: {},
    architecture: arch() === 'arm64' ? 'arm64' : 'x64',
    kernel: [major, minor],
    ...changes,
  };
}

/**
 * Runs the configuration in network, mount and PID namespaces of its own: /run is a private tmpfs, the container's
 * network namespace a file on it, and whatever is left ends with the first process.
 */
async function runContainer(spec: OciSpecInput): Promise<{ code: number; stdout: string; stderr: string }> {
  const bundle = await mkdtemp(join(folder, 'bundle-'));
  await writeFile(join(bundle, 'config.json'), JSON.stringify(buildOciSpec(spec)));
  const inside = `
    mount -t tmpfs tmpfs /run && touch /run/container.net &&
    unshare --net=/run/container.net ip link set lo up &&
    exec runc --root /run/runc run -b "$1" spec-test`;
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const args = [...namespaces, '--propagation', 'private', 'sh', '-c', inside, 'sh', bundle];
  try {
    return { code: 0, ...(await run('unshare', args, { timeout: 30_000 })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

test('the process finds the identity, environment and limits that were asked for', async () => {
  const script = 'id -u; id -G; hostname; echo "$GREETING"; pwd; echo $$; ulimit -n; ulimit -Hn';
  const { code, stdout, stderr } = await runContainer(
    input(script, { user: { uid: 33, gid: 44, additionalGids: [55] } }),
  );
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.trim().split('\n'), [
    '33',
    '44 55',
    'spec-test',
    'hello world',
    '/tmp',
    '1',
    '200',
    '300',
  ]);
});

test('root has the default capabilities and a filter; another user has none', async () => {
  const script = 'grep -E "^(CapEff|CapBnd|Seccomp):" /proc/self/status';
  const status = (text: string): Record<string, string> =>
    Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/:\s+/) as [string, string]),
    );

  const root = status((await runContainer(input(script))).stdout);
  assert.deepEqual(parseCapabilityMask(root.CapEff!), defaultCapabilities);
  assert.equal(root.Seccomp, '2', 'filter mode');

  const user = status(
    (await runContainer(input(script, { user: { uid: 33, gid: 33, additionalGids: [] } }))).stdout,
  );
  assert.deepEqual(parseCapabilityMask(user.CapEff!), []);
  assert.deepEqual(parseCapabilityMask(user.CapBnd!), defaultCapabilities);
});

test('the network namespace is the one given, with low ports and ping open to every user', async () => {
  const script = `ls /sys/class/net; cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range`;
  const { stdout, stderr } = await runContainer(input(script));
  assert.deepEqual(stdout.trim().split('\n'), ['lo', '0', '0\t2147483647'], stderr);
});

test('kernel settings are read-only, host information is masked, namespaces and mounts are refused', async () => {
  const script = `
    (echo 1 > /proc/sys/kernel/panic) 2>/dev/null && echo "panic writable"
    (echo h > /proc/sysrq-trigger) 2>/dev/null && echo "sysrq writable"
    [ "$(cat /proc/timer_list)" = "" ] || echo "timer_list readable"
    [ "$(ls /sys/firmware)" = "" ] || echo "firmware readable"
    mount -t tmpfs x /tmp 2>/dev/null && echo "mount allowed"
    unshare -n true 2>/dev/null && echo "unshare allowed"
    touch /sys/x 2>/dev/null && echo "sys writable"
    echo done`;
  const { stdout, stderr } = await runContainer(input(script));
  assert.equal(stdout, 'done\n', stderr);
});

test('extra mounts and the size of shared memory take effect', async () => {
  const volume = join(folder, 'volume');
  await mkdir(volume, { recursive: true });
  await writeFile(join(volume, 'file'), 'from the host\n');
  const mounts = [
    { destination: '/etc/hosts', source: join(volume, 'file'), type: 'bind', options: ['rbind', 'rprivate'] },
    { destination: '/data', source: volume, type: 'bind', options: ['rbind', 'ro', 'rprivate'] },
  ];
  const script = `cat /etc/hosts /data/file; (echo x > /data/new) 2>/dev/null || echo "read-only"
    stat -f -c %b /dev/shm`;
  const { stdout, stderr } = await runContainer(input(script, { mounts }));
  assert.deepEqual(
    stdout.trim().split('\n'),
    ['from the host', 'from the host', 'read-only', String((8 * 1024 * 1024) / 4096)],
    stderr,
  );
});

test('a read-only root file system cannot be written, its /tmp neither', async () => {
  const { stdout } = await runContainer(
    input('touch /x /tmp/x 2>/dev/null || echo refused', { readonlyRootfs: true }),
  );
  assert.equal(stdout, 'refused\n');
});

test('privileged runs unfiltered and may mount', async () => {
  const { stdout } = await run('cat', ['/proc/self/status']);
  const available = parseCapabilityMask(/^CapBnd:\s*(\w+)$/m.exec(stdout)?.[1] ?? '0');
  const script = 'mount -t tmpfs x /tmp && grep Seccomp: /proc/self/status';
  const result = await runContainer(input(script, { privileged: true, capabilities: available }));
  assert.match(result.stdout, /^Seccomp:\s+0$/m, result.stderr);
});

test('nothing stays behind in the cgroup hierarchies', async () => {
  for (const hierarchy of await readdir('/sys/fs/cgroup')) {
    const groups = await readdir(join('/sys/fs/cgroup', hierarchy)).catch((): string[] => []);
    assert.equal(groups.includes(cgroupName), false, hierarchy);
  }
});
