/**
 * Many networks with containers on them at once: that they can exist, what the next network costs then, and what the
 * processes take.
 */
import { labMemory } from './memory.ts';
import { EnginePeer } from './peers.ts';
import { type Aim, formatTable, median, printAims } from './report.ts';

const networks = 200;
const containersEach = 2;
const rounds = 9;

/** Takes about a minute. */
export async function benchScale(): Promise<void> {
  await using peer = await EnginePeer.start('seaway');
  const first = await measureCreate(peer);
  const starts: number[] = [];
  for (let index = 0; index < networks; index++) {
    const network = `net${index}`;
    await peer.call('POST', '/networks/create', { Name: network });
    for (let member = 0; member < containersEach; member++) {
      starts.push(await timed(() => startSleeper(peer, network, `${network}-${member}`)));
    }
  }
  const last = await measureCreate(peer);
  const answer = await peer.lab.docker([
    'exec',
    `net${networks - 1}-0`,
    'wget',
    '-qO-',
    `http://net${networks - 1}-1`,
  ]);
  if (!answer.stdout.includes('hello')) throw new Error(`the last network does not work: ${answer.stdout}`);

  const [early, late] = [median(starts.slice(2, 42)), median(starts.slice(-40))];
  console.log(`\n${networks} networks with ${containersEach} containers each\n`);
  console.log(
    formatTable([
      ['milliseconds, medians', 'at first', 'at last'],
      ['create a network', first.toFixed(1), last.toFixed(1)],
      ['create and start a container', early.toFixed(1), late.toFixed(1)],
    ]),
  );
  const memory = labMemory(peer.lab)
    .filter(({ command }) => / daemon |keeper.main/.test(command))
    .map(({ command, pssBytes }) => [
      /keeper/.test(command) ? 'keeper' : 'daemon',
      `${(pssBytes / 2 ** 20).toFixed(0)} MB`,
    ]);
  console.log(formatTable([['memory, proportional set size', ''], ...memory]));
  const aims: Aim[] = [
    { what: 'the 201st network / the first', value: last / first, unit: 'x', most: 1.5 },
    { what: 'the 400th container / the first', value: late / early, unit: 'x', most: 1.5 },
  ];
  printAims(aims);
}

async function startSleeper(peer: EnginePeer, network: string, name: string): Promise<void> {
  await peer.call('POST', `/containers/create?name=${name}`, {
    Image: 'busybox',
    Cmd: ['httpd', '-f', '-p', '80', '-h', '/www'],
    HostConfig: { NetworkMode: network },
  });
  await peer.call('POST', `/containers/${name}/start`);
}

async function measureCreate(peer: EnginePeer): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    samples.push(await timed(() => peer.call('POST', '/networks/create', { Name: 'measured' })));
    await peer.call('DELETE', '/networks/measured');
  }
  return median(samples);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
