/**
 * The keeper's process: `main.ts --folder RUN_FOLDER --version N`. Started by KeeperClient, it outlives the daemon for as
 * long as it has something to keep. It says `ready` or `taken` (another keeper of that version runs) on descriptor 3.
 */
import { closeSync, rmSync, statSync, writeSync } from 'node:fs';
import module from 'node:module';
import { parseArgs } from 'node:util';
import { lockFile } from '@seaway/linux/sockets';
import { keeperLock, keeperLog, keeperSocket } from './protocol.ts';
import { UdpThread } from './udp-thread.ts';

/** How long it waits for the daemon that started it to come in. */
const WELCOME_MS = 10_000;
/** Compiled code is kept for the next keeper this long after the start, when nobody waits for it. */
const FLUSH_AFTER_MS = 1000;
/** With work left to finish but nobody there, it looks again after this time. */
const FINISH_MS = 250;

const { values } = parseArgs({ options: { folder: { type: 'string' }, version: { type: 'string' } } });
const folder = values.folder ?? '';
const version = Number(values.version);

if (folder === '' || !Number.isInteger(version)) {
  process.stderr.write('usage: main.ts --folder RUN_FOLDER --version N\n');
  process.exit(2);
}
// Interrupts typed at the daemon's terminal are the daemon's; services that stop send SIGTERM to the daemon alone.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
if (lockFile(keeperLock(folder, version)) === undefined) {
  answerStarter('taken');
  process.exit(0);
}
await keep();

async function keep(): Promise<void> {
  // The thread starts while the rest is loaded.
  const thread = new UdpThread();
  const [{ Keeper }, { Door }] = await Promise.all([import('./keeper.ts'), import('./door.ts')]);
  const keeper = new Keeper(
    thread,
    (level, message, fields) => door.complain({ kind: 'log', level, message, fields }),
    (error) => {
      process.stderr.write(`a thread failed: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
  let isEnding = false;
  let lingering: NodeJS.Timeout | undefined;
  const reconsider = () => {
    clearTimeout(lingering);
    // A daemon that is connected will need it again; else it would go.
    if (isEnding || keeper.size > 0 || door.visitors > 0) return;
    lastLook();
  };
  const lastLook = () => {
    if (keeper.isTidying || door.isBusy) lingering = setTimeout(reconsider, FINISH_MS);
    else end();
  };
  const end = () => {
    door.close();
    removeFiles();
    process.exit(0);
  };
  const door = new Door(keeperSocket(folder, version), version, keeper, {
    onChange: reconsider,
    onEnd: async () => {
      isEnding = true;
      clearTimeout(lingering);
      await keeper.letGoOfPorts();
      void keeper.retire().then(end);
    },
  });
  await door.open();
  answerStarter('ready');
  // A starter that has died meanwhile must not leave us here for ever.
  lingering = setTimeout(reconsider, WELCOME_MS);
  // A keeper seldom ends in an orderly way, which is when Node would write its cache.
  setTimeout(() => module.flushCompileCache(), FLUSH_AFTER_MS).unref();
}

/** Nothing is left of a keeper that ends, but what it wrote in its need. */
function removeFiles(): void {
  const log = keeperLog(folder);
  if (statSync(log, { throwIfNoEntry: false })?.size === 0) rmSync(log, { force: true });
  rmSync(keeperLock(folder, version), { force: true });
}

function answerStarter(word: string): void {
  try {
    writeSync(3, `${word}\n`);
    closeSync(3);
  } catch {
    // Nobody waits for it any more.
  }
}
