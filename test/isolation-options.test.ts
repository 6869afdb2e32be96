/**
 * Options that let a container in on its host, or hold it to limits: what the program inside finds, through the
 * docker client, and what is refused.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { RawApi } from './lab/raw-api.ts';
import { eventually, image, openStory, removeContainers } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

/** What a container prints. */
async function output(options: readonly string[], command: string): Promise<string> {
  return (await lab.docker(['run', '--rm', ...options, image, 'sh', '-c', command])).stdout.trim();
}

async function refusal(options: readonly string[]): Promise<string> {
  const result = await lab.docker(['run', '--rm', ...options, image, 'true'], { allowFailure: true });
  assert.ok(result.code >= 125, `${options}: ${result.stdout}${result.stderr}`);
  return result.stderr;
}

async function hostConfig(name: string): Promise<Record<string, unknown>> {
  return (await api.get<{ HostConfig: Record<string, unknown> }>(`/containers/${name}/json`)).HostConfig;
}

/** What this process may hand on: not everything, on every machine. */
const ownMask = BigInt(`0x${/^CapBnd:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`);
const effective = async (...options: string[]) =>
  BigInt(`0x${await output(options, "sed -n 's/^CapEff:.//p' /proc/self/status")}`);

describe('privileges', () => {
  test('a privileged container has all capabilities and devices that there are, and may change the kernel', async () => {
    const seen = await output(
      ['--privileged'],
      `grep -E '^(CapEff|Seccomp):' /proc/self/status; test -c /dev/tty0 && echo tty0; grep ' /sys sysfs rw' /proc/mounts;
       test -w /proc/sys/kernel/hostname && echo settings; mknod /tmp/n c 1 5 && head -c 1 /tmp/n | wc -c | sed s/1/node/;
       mount -t tmpfs none /tmp && echo mounted`,
    );
    assert.equal(BigInt(`0x${/CapEff:\s*(\w+)/.exec(seen)?.[1]}`), ownMask);
    for (const word of [/Seccomp:\s+0/, /^tty0$/m, /sysfs rw/, /^settings$/m, /^node$/m, /^mounted$/m]) {
      assert.match(seen, word);
    }
  });

  test('capabilities are added and dropped by any of their names', async () => {
    const bit = (number: number) => 1n << BigInt(number);
    assert.equal(await effective('--cap-drop', 'all', '--cap-add', 'net_admin'), bit(12));
    assert.equal((await effective('--cap-add', 'CAP_SYS_TIME')) & bit(25), bit(25));
    assert.equal(await effective('--cap-add', 'ALL', '--cap-drop', 'chown'), ownMask & ~bit(0));
    assert.match(await refusal(['--cap-add', 'nope']), /invalid CapAdd: unknown capability: "CAP_NOPE"/);
  });

  test('security options do what they say', async () => {
    const profile = join(lab.directory, 'profile.json');
    const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 };
    await writeFile(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
    const filter = 'grep ^Seccomp: /proc/self/status; mkdir /x 2>&1; true';
    assert.match(await output(['--security-opt', 'seccomp=unconfined'], filter), /^Seccomp:\s+0$/);
    assert.match(await output(['--security-opt', `seccomp=${profile}`], filter), /not permitted/);
    const others = ['no-new-privileges', 'systempaths=unconfined', 'apparmor=unconfined', 'label=disable'];
    const seen = await output(
      others.flatMap((option) => ['--security-opt', option]),
      'grep NoNewPrivs /proc/self/status; test -w /proc/sys/kernel/shmmax && echo writable',
    );
    assert.match(seen, /NoNewPrivs:\s+1\nwritable/);
    assert.match(await refusal(['--security-opt', 'junk=1']), /invalid --security-opt 2: "junk=1"/);
  });
});

test('devices are there under the path and with the permissions that were asked for', async () => {
  const mapped = await output(
    [
      '--device',
      '/dev/zero:/dev/nil',
      '--device',
      '/dev/loop0:/dev/loop:r',
      '--device',
      '/dev/net:/dev/hostnet',
    ],
    'head -c 3 /dev/nil | wc -c; (echo x > /dev/loop) 2>&1; test -c /dev/hostnet/tun && echo tun',
  );
  assert.match(mapped, /^3\n.*not permitted\ntun$/);
  const node = 'mknod /tmp/n b 7 0; dd if=/tmp/n bs=1 count=0 2>&1; true';
  assert.match(await output([], node), /not permitted/);
  assert.doesNotMatch(await output(['--device-cgroup-rule', 'b 7:0 rwm'], node), /not permitted/);
  assert.match(
    await refusal(['--device', '/dev/not-there']),
    /error gathering device information while adding custom device "\/dev\/not-there": no such file or directory/,
  );
  assert.match(
    await refusal(['--gpus', 'all']),
    /could not select device driver "" with capabilities: \[\[gpu\]\]/,
  );
});

describe('namespaces', () => {
  test('an init process is PID 1, and passes signals on', async () => {
    assert.match(await output(['--init'], "tr '\\0' ' ' < /proc/1/cmdline"), /^\/sbin\/docker-init -- sh -c/);
    await lab.docker(`run -d --name waits --init ${image} sleep 600`);
    // Before its child runs it does not yet take signals.
    await eventually(async () => assert.match(await lab.dockerOutput('exec waits ps'), /\d root +sleep 600/));
    const begun = performance.now();
    await lab.docker('stop waits');
    assert.ok(performance.now() - begun < 5_000, 'sleep as PID 1 would have ignored the signal');
    assert.equal((await hostConfig('waits')).Init, true);
    await removeContainers(lab, 'waits');
  });

  test('processes and shared memory of the host or of another container are joined', async () => {
    await lab.docker(`run -d --name giver --ipc shareable --shm-size 1m ${image} sleep 611`);
    await lab.docker(['exec', 'giver', 'sh', '-c', 'echo shared > /dev/shm/word']);
    const joined = ['--pid', 'container:giver', '--ipc', 'container:giver'];
    const seen = await output(
      joined,
      'ps -o args; cat /dev/shm/word; df -k /dev/shm | tail -1; readlink /proc/self/ns/ipc',
    );
    assert.match(seen, /sleep 611/);
    assert.match(seen, /\nshared\nshm +1024 /);
    assert.ok(seen.endsWith((await lab.dockerOutput('exec giver readlink /proc/self/ns/ipc')).trim()));
    await lab.docker(`create --name taker --pid container:giver ${image} true`);
    const { Id } = await api.inspect('giver');
    assert.equal((await hostConfig('taker')).PidMode, `container:${Id}`);
    await lab.docker('kill giver');
    const started = await api.send('POST', '/containers/taker/start');
    assert.equal(started.json.message, `failed to join PID namespace: container ${Id} is not running`);
    assert.equal(started.status, 409);
    assert.match(
      await refusal(['--ipc', 'container:nobody']),
      /failed to join IPC namespace: No such container: nobody/,
    );
    await removeContainers(lab, 'giver', 'taker');
  });

  test('those of the host, and none', async () => {
    const links =
      'for kind in pid ipc uts cgroup; do readlink /proc/self/ns/$kind; done; ls -d /dev/shm 2>&1';
    const all = await output(
      ['--pid', 'host', '--ipc', 'host', '--uts', 'host', '--userns', 'host', '--cgroupns', 'host'],
      links,
    );
    const { stdout } = await lab.run(['sh', '-c', `${links} /dev/shm`]);
    assert.equal(all.split('\n').slice(0, 4).join(), stdout.split('\n').slice(0, 4).join());
    const own = await output(['--ipc', 'none', '--cgroupns', 'private'], `${links}; cat /proc/self/cgroup`);
    assert.match(own, /No such file/);
    assert.notEqual(own.split('\n')[3], stdout.split('\n')[3]);
    assert.match(own, /^\d+:memory:\/$|^0::\/$/m);
    assert.match(await refusal(['--ipc', 'container:not there']), /invalid|No such container/);
    assert.match(await refusal(['--pid', 'private']), /invalid PID mode: private|--pid: invalid PID mode/);
  });

  test("the end of a container in the host's processes takes what it left behind with it", async () => {
    const leaver = ['run', '--name', 'leaver', '--pid', 'host', image];
    await lab.docker([...leaver, 'sh', '-c', 'sleep 622 > /dev/null 2>&1 &']);
    await lab.docker('rm leaver');
    // runc ends them behind the answer.
    await eventually(async () => {
      const { stdout } = await lab.run([
        'sh',
        '-c',
        'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "; true',
      ]);
      assert.doesNotMatch(stdout, /sleep 622/);
    });
  });
});

describe('logs', () => {
  const megabyte = 'i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done';

  test('keep to their limits, over restarts too, and older parts are kept beside them', async () => {
    const limits = ['--log-opt', 'max-size=40k', '--log-opt', 'max-file=3'];
    await lab.docker(['run', '--name', 'chatty', ...limits, image, 'sh', '-c', megabyte]);
    await lab.docker('start -a chatty');
    const { LogPath } = await api.get<{ LogPath: string }>('/containers/chatty/json');
    const { stdout } = await lab.run(['sh', '-c', `cd ${dirname(LogPath)} && stat -c '%s %n' *.log*`]);
    const sizes = stdout
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ')[0]));
    assert.ok(sizes.length <= 3 && sizes.every((size) => size <= 40_000), stdout);
    assert.match(await lab.dockerOutput('logs --tail 1 chatty'), /^line 3999$/m);
    await removeContainers(lab, 'chatty');
    assert.match(
      await refusal(['--log-opt', 'max-size=x']),
      /failed to initialize logging driver: invalid size: 'x'/,
    );
  });

  test('slow enough to be followed lose nothing', async () => {
    const limits = ['--log-opt', 'max-size=20k', '--log-opt', 'max-file=4'];
    const slow =
      'for part in 1 2 3; do i=0; while [ $i -lt 250 ]; do echo part $part line $i; i=$((i+1)); done; sleep 1; done';
    await lab.docker(['run', '--name', 'steady', ...limits, image, 'sh', '-c', slow]);
    const lines = (await lab.dockerOutput('logs steady')).trim().split('\n');
    assert.deepEqual([lines.length, lines[0], lines.at(-1)], [750, 'part 1 line 0', 'part 3 line 249']);
    await removeContainers(lab, 'steady');
  });

  test('of the driver none are not kept', async () => {
    await lab.docker(['run', '--name', 'silent', '--log-driver', 'none', image, 'echo', 'hello']);
    const { LogPath } = await api.get<{ LogPath: string }>('/containers/silent/json');
    assert.equal(LogPath, '');
    const answer = await api.send('GET', '/containers/silent/logs?stdout=1');
    assert.equal(answer.json.message, 'configured logging driver does not support reading');
    assert.equal(answer.status, 501);
    assert.deepEqual((await hostConfig('silent')).LogConfig, { Type: 'none', Config: {} });
    await removeContainers(lab, 'silent');
  });
});

describe('limits', () => {
  test('are kept by the kernel and shown by inspect', async () => {
    await lab.docker([
      ...['run', '-d', '--name', 'limited', '-m', '32m', '--memory-reservation', '16m', '--cpus', '0.5'],
      ...[
        '--cpuset-cpus',
        '0',
        '--pids-limit',
        '20',
        '--ulimit',
        'nofile=512:1024',
        '--oom-score-adj',
        '100',
      ],
      ...['--shm-size', '3m', '--tmpfs', '/scratch:size=2m,exec', '--sysctl', 'net.ipv4.ip_default_ttl=33'],
      ...[
        '--group-add',
        '777',
        '--stop-signal',
        'SIGKILL',
        '--annotation',
        'a=b',
        '--cgroup-parent',
        '/seaway-odd',
      ],
      ...['--log-opt', 'max-size=10m', '--log-opt', 'max-file=3', image, 'sleep', '600'],
    ]);
    const inside = await lab.docker([
      ...['exec', 'limited', 'sh', '-c'],
      `grep files /proc/1/limits; id; cat /proc/1/oom_score_adj /proc/sys/net/ipv4/ip_default_ttl; df -k /dev/shm /scratch;
       grep -E ' /scratch ' /proc/mounts; grep Cpus_allowed_list /proc/self/status; cat /proc/self/cgroup`,
    ]);
    const text = inside.stdout;
    for (const part of [
      'Max open files            512                  1024 ',
      '777',
      '\n100\n33\n',
      ' 3072 ',
      ' 2048 ',
      'Cpus_allowed_list:\t0\n',
      '/seaway-odd/',
    ])
      assert.ok(text.includes(part), `${part} in ${text}`);
    assert.doesNotMatch(/^tmpfs \/scratch.*$/m.exec(text)![0], /noexec/);
    const shown = await hostConfig('limited');
    const expected = {
      Memory: 32 << 20,
      MemorySwap: 64 << 20,
      MemoryReservation: 16 << 20,
      NanoCpus: 5e8,
      CpusetCpus: '0',
      PidsLimit: 20,
      Ulimits: [{ Name: 'nofile', Soft: 512, Hard: 1024 }],
      OomScoreAdj: 100,
      ShmSize: 3 << 20,
      CgroupParent: '/seaway-odd',
      Annotations: { a: 'b' },
      LogConfig: { Type: 'json-file', Config: { 'max-file': '3', 'max-size': '10m' } },
      IpcMode: 'private',
      Devices: [],
      OomKillDisable: false,
    };
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(shown[name], value, name);
    await removeContainers(lab, 'limited');
  });

  test('a program that takes more memory than it may is killed', async () => {
    const limit = ['run', '--rm', '-m', '8m', '--memory-swap', '8m', image];
    const { code } = await lab.docker([...limit, 'sh', '-c', 'head -c 64m /dev/zero | tail'], {
      allowFailure: true,
    });
    assert.equal(code, 137);
  });

  const cpus = availableParallelism();
  const bad: readonly (readonly [host: object, status: number, message: string | RegExp])[] = [
    [{ Memory: 1 }, 400, 'Minimum memory limit allowed is 6MB'],
    [
      { NanoCpus: (cpus + 1) * 1e9 },
      400,
      `range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
    ],
    [{ MemorySwap: 8 << 20 }, 400, /You should always set the Memory limit/],
    [{ PidMode: 'x' }, 400, 'invalid PID mode: x'],
    [{ Runtime: 'kata' }, 400, 'unknown or invalid runtime name: kata'],
    [{ LogConfig: { Type: 'syslog' } }, 400, "logger: no log driver named 'syslog' is registered"],
    [{ StorageOpt: { size: '1G' } }, 500, /--storage-opt is supported only for overlay over xfs/],
    [{ Devices: {} }, 400, /.*/],
    [{ Ulimits: [{ Name: 'nofile' }] }, 400, /.*/],
    [{ BlkioWeight: 5 }, 400, 'Range of blkio weight is from 10 to 1000'],
  ];
  for (const [HostConfig, status, message] of bad) {
    test(`${JSON.stringify(HostConfig)}: ${status}`, () =>
      api.isRefused({
        what: '',
        path: '/containers/create',
        body: { Image: image, Cmd: ['true'], HostConfig },
        status,
        message,
      }));
  }

  test('kernel parameters of the host stay out of reach', async () => {
    assert.match(
      await refusal(['--network', 'host', '--sysctl', 'net.ipv4.ip_default_ttl=33']),
      /sysctl "net\.ipv4\.ip_default_ttl" not allowed in host network namespace/,
    );
    const id = await api.createContainer('odd', 'none', {
      HostConfig: { Sysctls: { 'vm.swappiness': '1' } },
    });
    const started = await api.send('POST', `/containers/${id}/start`);
    assert.match(started.json.message ?? '', /sysctl "vm\.swappiness" is not in a separate kernel namespace/);
    await removeContainers(lab, 'odd');
  });
});
