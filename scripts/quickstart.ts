/**
 * The story of the four network modes, of networks of one's own and of published ports, with real containers, in a lab that is gone afterwards. Every step shows the
 * command, what came back, and whether that is what was promised; the exit code is 0 only if every step held.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectSameInventory, takeInventory } from '../test/lab/inventory.ts';
import { hostAddress, Lab, labHostname, outsideAddress } from '../test/lab/lab.ts';
import { Narrator, StepFailed } from './narrator.ts';

const narrator = new Narrator(process.stdout);
const { chapter, step, explain } = narrator;
const page = 'hello from the container';

/** The answer as soon as it holds, or the last one when it does not within a second. */
async function soon(ask: () => Promise<string>, holds: (answer: string) => boolean): Promise<string> {
  const deadline = performance.now() + 1000;
  for (;;) {
    const answer = await ask();
    if (holds(answer) || performance.now() > deadline) return answer;
    await sleep(20);
  }
}

/** The first address of the default bridge's pool in a text. */
function bridgeAddress(text: string): string {
  return text.match(/172\.17\.\d+\.\d+/)?.[0] ?? '';
}

async function tellStory(lab: Lab): Promise<void> {
  /** One docker command as a step; resolves with what it wrote. */
  const docker = (argv: string[], promise: string, holds: (output: string) => boolean): Promise<string> =>
    step(
      ['docker', ...argv],
      promise,
      async () => {
        const { stdout, stderr, code } = await lab.docker(argv, { allowFailure: true });
        return code === 0 ? stdout.trim() : `${stdout}${stderr}(exit code ${code})`;
      },
      holds,
    );
  const fetchOutside = async (url: string) =>
    (await lab.outside(`busybox wget -qO- ${url}`, { allowFailure: true })).stdout.trim();
  const fetchOnHost = async (url: string) =>
    (await lab.run(`busybox wget -qO- ${url}`, { allowFailure: true })).stdout.trim();
  const run = (options: string[], ...command: string[]) => ['run', '--rm', ...options, 'busybox', ...command];

  chapter('The engine', 'It listens on a unix socket and speaks the Docker Engine API.');
  await step(
    ['seaway', 'daemon', '-H', 'unix://$LAB/engine.sock'],
    'the daemon answers',
    async () => {
      const engine = await lab.startEngine();
      return `ready after ${Math.round(engine.readyMs)} ms`;
    },
    (output) => output.startsWith('ready'),
  );
  await step(
    ['docker', 'import', 'rootfs.tar', 'busybox:latest'],
    "an image, made from this machine's own busybox",
    async () => {
      await lab.importBusybox();
      return lab.dockerOutput(['images', '--format', '{{.Repository}}:{{.Tag}}  {{.Size}}']);
    },
    (output) => output.startsWith('busybox:latest'),
  );
  const before = await takeInventory(lab, lab.engine);

  chapter('bridge', 'Its own address on docker0; the outside is reached by address translation.');
  const server = ['httpd', '-f', '-p', '80', '-h', '/www'];
  await docker(['run', '-d', '--name', 'web1', 'busybox', ...server], 'a web server runs', (output) =>
    /^[0-9a-f]{64}$/.test(output),
  );
  const format = '{{.NetworkSettings.IPAddress}}';
  const web1 = await docker(
    ['inspect', '-f', format, 'web1'],
    'it has an address of the pool',
    (output) => bridgeAddress(output) === output && output !== '',
  );
  await docker(
    run([], 'wget', '-qO-', `http://${web1}`),
    'another container reaches it',
    (output) => output === page,
  );
  await docker(
    run([], 'ip', '-brief', 'address'),
    'inside: loopback, and eth0 with an address of its own',
    (output) => /^eth0@if\d+ +UP +172\.17\.0\.\d+\/16/m.test(output) && bridgeAddress(output) !== web1,
  );
  // The wire of the container that has just ended goes behind its back, within a second.
  const isOneWire = (output: string) => /^veth\w+@\S+ +UP/.test(output) && !output.includes('\n');
  await step(
    ['ip', '-brief', 'link', 'show', 'master', 'docker0'],
    'on the host: the other end of the wire, on docker0',
    () => soon(async () => (await lab.run('ip -brief link show master docker0')).stdout.trim(), isOneWire),
    isOneWire,
  );
  const outside = await lab.startWhoami('outside', 80);
  await docker(
    run([], 'wget', '-qO-', `http://${outsideAddress}`),
    `a server outside sees the address of the host, ${hostAddress}`,
    (output) => output === hostAddress,
  );
  await outside.stop();

  chapter('none', 'A network namespace with nothing but loopback.');
  await docker(run(['--net=none'], 'ip', '-br', 'link'), 'lo, alone and up', (output) =>
    /^lo .*<LOOPBACK,UP,LOWER_UP>$/.test(output),
  );
  await docker(
    run(['--net=none'], 'sh', '-c', 'httpd -p 80 -h /www; wget -qO- http://127.0.0.1'),
    '127.0.0.1 answers',
    (output) => output === page,
  );

  chapter('host', "No network namespace of its own: the host's interfaces, name and ports.");
  await docker(
    run(['--net=host'], 'sh', '-c', 'hostname; ip -br -4 address show eth0'),
    "the host's name and address",
    (output) => output.startsWith(labHostname) && output.includes(`${hostAddress}/24`),
  );
  const hostServer = ['httpd', '-f', '-p', '8080', '-h', '/www'];
  await docker(
    ['run', '-d', '--name', 'web2', '--net=host', 'busybox', ...hostServer],
    "a server on the host's port 8080",
    (output) => /^[0-9a-f]{64}$/.test(output),
  );
  // The server was started a moment ago and may not listen yet.
  const isPage = (output: string) => output === page;
  await step(
    ['wget', '-qO-', `http://${hostAddress}:8080`],
    'reached from outside',
    () => soon(() => fetchOutside(`http://${hostAddress}:8080`), isPage),
    isPage,
  );

  chapter('container:web1', "Inside another container's network: same address, same ports.");
  await docker(
    run(['--net=container:web1'], 'wget', '-qO-', 'http://127.0.0.1:80'),
    'web1 answers on 127.0.0.1',
    (output) => output === page,
  );
  await docker(
    run(['--net=container:web1'], 'ip', '-br', '-4', 'address', 'show', 'eth0'),
    `the address is that of web1, ${web1}`,
    (output) => bridgeAddress(output) === web1,
  );

  chapter('Networks of your own', 'Containers find each other there by name, and nobody else finds them.');
  await docker(['network', 'create', 'shop'], 'a network with a subnet of its own', (output) =>
    /^[0-9a-f]{64}$/.test(output),
  );
  await docker(
    ['run', '-d', '--name', 'db', '--network', 'shop', '--network-alias', 'store', 'busybox', ...server],
    'a server on it',
    (output) => /^[0-9a-f]{64}$/.test(output),
  );
  for (const name of ['db', 'store']) {
    await docker(
      run(['--network', 'shop'], 'wget', '-qO-', `http://${name}`),
      name === 'db' ? 'reached by its name' : 'and by its alias',
      isPage,
    );
  }
  await docker(
    ['network', 'connect', 'shop', 'web1'],
    'web1 runs on docker0 and comes to the network as well',
    (output) => output === '',
  );
  await docker(
    ['exec', 'web1', 'ip', '-br', '-4', 'address'],
    'it has one more interface at once',
    (output) => /^eth1@\S+ +UP +172\.18\./m.test(output),
  );
  await docker(['exec', 'web1', 'wget', '-qO-', 'http://db'], 'and finds db by name', isPage);
  await docker(
    run(['--network', 'shop', '--link', 'db:database'], 'wget', '-qO-', 'http://database'),
    'a link is a name for one container alone',
    isPage,
  );
  await docker(
    run([], 'sh', '-c', 'wget -qO- http://db || echo nobody of that name'),
    'on docker0 nobody knows db',
    (output) => output.endsWith('nobody of that name'),
  );
  await docker(
    ['network', 'rm', 'shop'],
    'a network in use is not removed',
    (output) => output.includes('has active endpoints (name:"db"') && output.endsWith('(exit code 1)'),
  );

  chapter(
    'Published ports',
    'The host answers for a container, by address translation and without a process.',
  );
  await docker(
    ['run', '-d', '--name', 'web3', '--network', 'shop', '-p', '8088:80', 'busybox', ...server],
    "port 8088 of the host is web3's port 80",
    (output) => /^[0-9a-f]{64}$/.test(output),
  );
  await docker(['port', 'web3'], 'on all addresses, IPv4 and IPv6', (output) =>
    ['80/tcp -> 0.0.0.0:8088', '80/tcp -> [::]:8088'].every((line) => output.includes(line)),
  );
  const published: [place: string, url: string, fetch: (command: string) => Promise<string>][] = [
    ['from outside', `http://${hostAddress}:8088`, fetchOutside],
    ['from the host itself', 'http://127.0.0.1:8088', fetchOnHost],
    ['over IPv6 too', 'http://[::1]:8088', fetchOnHost],
  ];
  for (const [place, url, fetch] of published) {
    await step(['wget', '-qO-', url], place, () => soon(() => fetch(url), isPage), isPage);
  }
  await docker(['rm', '-f', 'web3'], 'the container is removed', (output) => output === 'web3');
  await step(
    ['wget', '-qO-', 'http://127.0.0.1:8088'],
    'and its port is free again',
    async () => (await fetchOnHost('http://127.0.0.1:8088')) || 'nobody answers',
    (output) => output === 'nobody answers',
  );

  chapter('The daemon may die', 'Containers, their traffic and their names do not need it.');
  const sandbox = await lab.dockerOutput(['inspect', '-f', '{{.NetworkSettings.SandboxKey}}', 'web1']);
  await step(
    ['kill', '-9', '$DAEMON'],
    'the daemon is dead',
    async () => `ended with code ${await lab.engine.kill('SIGKILL')}`,
    (output) => output === 'ended with code 137',
  );
  await step(
    ['wget', '-qO-', `http://${web1}`],
    'web1 answers all the same',
    async () => (await lab.run(`busybox wget -qO- http://${web1}`)).stdout.trim(),
    (output) => output === page,
  );
  await step(
    ['nsenter', '--net=$WEB1', 'busybox', 'nslookup', 'db', '127.0.0.11'],
    'names are still answered inside web1',
    async () => (await lab.run(`nsenter --net=${sandbox} busybox nslookup db. 127.0.0.11`)).stdout.trim(),
    (output) => /Address: 172\.18\./.test(output),
  );
  await step(
    ['seaway', 'daemon', '-H', 'unix://$LAB/engine.sock'],
    'a new daemon finds all containers running',
    async () => {
      await lab.engine.start();
      return lab.dockerOutput(['ps', '--format', '{{.Names}}  {{.Status}}']);
    },
    (output) => ['web1', 'web2', 'db'].every((name) => new RegExp(`^${name} +Up`, 'm').test(output)),
  );

  chapter('Leaving a network', 'It works on running containers, and at once.');
  await docker(['network', 'disconnect', 'shop', 'db'], 'db leaves it', (output) => output === '');
  await docker(
    ['exec', 'web1', 'sh', '-c', 'wget -qO- http://db || echo nobody of that name'],
    'its name is gone with it',
    (output) => output.endsWith('nobody of that name'),
  );
  await docker(['rm', '-f', 'db'], 'db itself was running on', (output) => output === 'db');
  await docker(['network', 'disconnect', 'shop', 'web1'], 'the last one leaves', (output) => output === '');
  await docker(['network', 'rm', 'shop'], 'now the network can go', (output) => output === 'shop');

  chapter('Cleaning up', 'Links, addresses, rules, namespaces, mounts, processes and files are compared.');
  await docker(['rm', '-f', 'web1', 'web2'], 'the containers are gone', (output) => output === 'web1\nweb2');
  await step(
    ['diff', 'before', 'after'],
    'everything is as it was before the first container',
    async () => {
      await expectSameInventory(lab, before, lab.engine);
      return 'no difference';
    },
    () => true,
  );
}

async function main(): Promise<void> {
  explain(
    'Containers in all four network modes, on a network of their own and with published ports, driven by the docker client.',
    "A lab plays the machine: a host and the outside, in namespaces of their own. Nothing of this machine's network is touched.",
  );
  chapter('A lab', `A host ${hostAddress} and, behind a wire, the outside ${outsideAddress}.`);
  let lab: Lab | undefined;
  try {
    await step(
      ['unshare', '--net', '--mount', '--pid', '--uts', '--ipc', '...'],
      'host and outside are there',
      async () => {
        lab = await Lab.create();
        return (await lab.run('ip -br -4 address show eth0')).stdout.trim();
      },
      (output) => output.includes(hostAddress),
    );
    if (lab === undefined) return;
    await tellStory(lab);
    await closeLab(lab);
    narrator.summary();
    explain(
      'To use it on this machine: start "bin/seaway daemon" as root, then',
      'export DOCKER_HOST=unix:///run/seaway.sock and use docker as you always do.',
    );
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    process.exitCode = 1;
    showLog(lab);
  } finally {
    await lab?.close();
  }
}

async function closeLab(lab: Lab): Promise<void> {
  await step(
    ['rm', '-rf', '$LAB'],
    'nothing is left of the lab',
    async () => {
      await lab.close();
      return existsSync(lab.directory) ? `${lab.directory} is still there` : 'the lab is closed';
    },
    (output) => output === 'the lab is closed',
  );
}

function showLog(lab: Lab | undefined): void {
  try {
    const tail = lab?.engine.log().trimEnd().split('\n').slice(-20).join('\n');
    if (tail) console.error(`\nThe daemon's last words:\n${tail}`);
  } catch {
    // No engine was started.
  }
}

await main();
