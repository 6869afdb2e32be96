/** What a daemon holds after a thousand execs and two hundred attached clients that it did not hold before. */
import { attachClients, holdings, residentBytes, runExecs } from '../test/lab/exec-soak.ts';
import { RawApi } from '../test/lab/raw-api.ts';
import { eventually } from '../test/lab/story.ts';
import { EnginePeer } from './peers.ts';
import { formatTable, printAims } from './report.ts';

const execs = 1000;
const attaches = 200;

/** Measures and prints; there is no peer in this one. */
export async function benchSoak(): Promise<void> {
  await using peer = await EnginePeer.start('seaway');
  const { lab } = peer;
  const api = new RawApi(lab, '1.41');
  await api.run('box', 'none', { Cmd: ['cat'], OpenStdin: true });
  await runExecs(lab, api, 'box', 50);
  await attachClients(lab, 'box', 20);
  const before = await eventually(() => {
    const held = holdings(lab);
    if (held.ended > 0 || held.files.length > 0) throw new Error('still busy');
    return held;
  });
  const memoryBefore = residentBytes(lab);
  const startedAt = performance.now();
  await runExecs(lab, api, 'box', execs);
  const perExec = (performance.now() - startedAt) / execs;
  await attachClients(lab, 'box', attaches);
  const after = await eventually(() => {
    const held = holdings(lab);
    if (held.ended > 0 || held.files.length > 0) throw new Error('still busy');
    return held;
  });
  const rows = [
    ['', 'before', 'after'],
    ['descriptors', before.descriptors.length, after.descriptors.length],
    ['processes', before.processes.length, after.processes.length],
    ['files', before.files.length, after.files.length],
    ['resident memory, MB', memoryBefore / 2 ** 20, residentBytes(lab) / 2 ** 20],
  ].map((row) => row.map((cell) => (typeof cell === 'number' ? String(Math.round(cell)) : cell)));
  console.log(
    `\n${execs} execs (4 at a time, ${perExec.toFixed(1)} ms each) and ${attaches} attached clients\n`,
  );
  console.log(formatTable(rows));
  printAims([
    {
      what: 'more descriptors',
      value: after.descriptors.length - before.descriptors.length,
      unit: '',
      most: 0,
    },
    { what: 'more processes', value: after.processes.length - before.processes.length, unit: '', most: 0 },
    { what: 'more memory', value: (residentBytes(lab) - memoryBefore) / 2 ** 20, unit: 'MB', most: 32 },
  ]);
}
