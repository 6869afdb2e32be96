import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandError } from './lab/command.ts';
import { expectSameInventory, inventoryDifference, takeInventory } from './lab/inventory.ts';
import { hostAddress, Lab, labHostname, outsideAddress, outsideAddress6 } from './lab/lab.ts';

async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `in time: ${what}`);
    await sleep(20);
  }
}

test('a lab has a host and an outside that reach each other, and no other network', async () => {
  await using lab = await Lab.create();
  await lab.startWhoami('outside', 80);

  const seen = await lab.run(`busybox wget -qO- http://${outsideAddress}/`);
  assert.equal(seen.stdout, `${hostAddress}\n`);
  const seen6 = await lab.run(`busybox wget -qO- http://[${outsideAddress6}]/`);
  assert.equal(seen6.stdout, '2001:db8::1\n');

  const links = await lab.run('ls /sys/class/net');
  assert.equal(links.stdout, 'eth0\nlo\n');
  const outsideRoutes = await lab.outside('ip route');
  assert.doesNotMatch(outsideRoutes.stdout, /default|172\./);
});

test('a lab has names, files and process ids of its own and leaves the machine its own', async () => {
  const machineName = hostname();
  await using lab = await Lab.create();
  assert.equal((await lab.run('hostname')).stdout, `${labHostname}\n`);
  assert.match((await lab.run('cat /etc/resolv.conf')).stdout, /^nameserver 198\.51\.100\.2$/m);
  assert.equal(
    (await lab.run(['sh', '-c', 'echo mark > /etc/lab-mark; cat /etc/lab-mark'])).stdout,
    'mark\n',
  );
  assert.equal(existsSync('/etc/lab-mark'), false);
  assert.equal(hostname(), machineName);
  const inventory = await takeInventory(lab);
  assert.deepEqual(inventory.processes, ['cat']);
});

test('control groups stay visible in a lab', async () => {
  await using lab = await Lab.create();
  const mounted = await lab.run(['sh', '-c', 'grep -c "^cgroup" /proc/self/mounts']);
  assert.ok(Number(mounted.stdout) > 0);
});

test('closing a lab ends its processes and removes its directory and control groups', async () => {
  const lab = await Lab.create();
  lab.background('sleep 600');
  const hierarchy = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
  await lab.run(['mkdir', '-p', `${hierarchy}/${lab.id}/container`]);
  const { directory, holderPid } = lab;
  await lab.close();
  await lab.close();
  assert.equal(existsSync(directory), false);
  assert.equal(existsSync(`/proc/${holderPid}`), false);
  assert.deepEqual(globSync(`/sys/fs/cgroup/{,*/}${lab.id}`), []);
});

test('a lab vanishes when the process that made it is killed', async () => {
  const program = `
    import { Lab } from ${JSON.stringify(new URL('./lab/lab.ts', import.meta.url).href)};
    const lab = await Lab.create();
    lab.background('sleep 600');
    console.log(JSON.stringify({ directory: lab.directory, pid: lab.holderPid }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data) => resolve(`${data}`)),
  );
  const made = JSON.parse(line) as { directory: string; pid: number };
  assert.equal(existsSync(made.directory), true);
  child.kill('SIGKILL');
  await eventually(() => !existsSync(`/proc/${made.pid}`), 'the processes of the lab are gone');
  await eventually(() => !existsSync(made.directory), 'the directory of the lab is gone');
});

test('a command that fails or hangs is reported with what it wrote', async () => {
  await using lab = await Lab.create();
  const before = await takeInventory(lab);
  await assert.rejects(lab.run(['sh', '-c', 'echo out; echo err >&2; exit 3']), (error: CommandError) => {
    assert.deepEqual(error.output, { stdout: 'out\n', stderr: 'err\n', code: 3 });
    assert.match(error.message, /exit code 3/);
    return true;
  });
  await assert.rejects(lab.run('sleep 60', { timeoutMs: 100 }), /did not end within 100 ms/);
  await expectSameInventory(lab, before); // it was killed inside the lab, too
});

test('the inventory shows what was added and what was lost', async () => {
  await using lab = await Lab.create();
  const before = await takeInventory(lab);
  await lab.run('ip link add bridge7 type bridge');
  await lab.run(['nft', 'add table ip left; add set ip left s { type ipv4_addr; elements = { 192.0.2.7 } }']);
  await lab.run('mkdir /run/other');
  await lab.run('mount -t tmpfs tmpfs /run/other');
  await lab.run('ip -6 route del default');
  const difference = inventoryDifference(before, await takeInventory(lab));
  for (const expected of [
    '  links: + bridge7',
    '  rules: + table ip left {',
    '  rules: + elements = { 192.0.2.7 }',
    '  mounts: + tmpfs /run/other',
    '  routes: - default via 2001:db8::2 dev eth0',
  ]) {
    assert.ok(difference.includes(expected), `${expected} in\n${difference.join('\n')}`);
  }
  assert.deepEqual(inventoryDifference(before, before), []);
});
