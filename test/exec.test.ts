/**
 * Further processes in running containers, without and with a terminal, through the docker client, over the wire and
 * through our own command line.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { isProcessAlive } from '@seaway/linux';
import { childrenOf } from './lab/command.ts';
import { seawayProgram } from './lab/engine.ts';
import { processes } from './lab/inventory.ts';
import { engineUnderTest } from './lab/lab.ts';
import { eventually, image, inspect, openStory, removeContainers } from './lab/story.ts';
import { TerminalClient } from './lab/terminal.ts';
import { demultiplex, Wire } from './lab/wire.ts';

const lab = await openStory();
const peer = engineUnderTest === 'dockerd';
/** Debian's dockerd loses early input and the first size, kills what a client left, and waits for one that does not read. */
const aboutOurs = { skip: peer && 'about our daemon alone' };

await lab.docker(`run -d --name box -e FROM=container -w /www ${image} sleep 3600`);

/** `docker exec` whose exit code is one of the things looked at. */
function exec(args: readonly string[], options: { input?: string | Uint8Array } = {}) {
  return lab.docker(['exec', ...args], { allowFailure: true, ...options });
}

interface ExecInspect {
  readonly ID: string;
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly Pid: number;
  readonly ContainerID: string;
  readonly OpenStdin: boolean;
  readonly OpenStdout: boolean;
  readonly OpenStderr: boolean;
  readonly ProcessConfig: {
    readonly tty: boolean;
    readonly entrypoint: string;
    readonly arguments: readonly string[];
    readonly privileged: boolean;
    readonly user?: string;
  };
}

async function createExec(body: object, container = 'box'): Promise<string> {
  const answer = await lab.api<{ Id: string }>('POST', `/v1.41/containers/${container}/exec`, body);
  assert.equal(answer.status, 201, answer.text);
  return answer.json.Id;
}

async function inspectExec(id: string): Promise<ExecInspect> {
  const answer = await lab.api<ExecInspect>('GET', `/v1.41/exec/${id}/json`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

/** A connection on which an exec is started by hand. */
class ExecWire extends Wire {
  constructor() {
    super(lab.engine.socket);
  }

  /** Starts an exec; `more` follows the body in the same packet. */
  start(id: string, options: { upgrade?: boolean; tty?: boolean; more?: string } = {}): void {
    const body = JSON.stringify({ Detach: false, Tty: options.tty ?? false });
    this.socket.write(
      startHead(id, options.upgrade ?? true, `Content-Length: ${body.length}`) + body + (options.more ?? ''),
    );
  }
}

function startHead(id: string, upgrade: boolean, length: string): string {
  const lines = [
    `POST /v1.41/exec/${id}/start HTTP/1.1`,
    'Host: docker',
    ...(upgrade ? ['Connection: Upgrade', 'Upgrade: tcp'] : []),
    'Content-Type: application/json',
    length,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const attached = { AttachStdin: true, AttachStdout: true, AttachStderr: true };

describe('docker exec', () => {
  test('shows output and errors, and ends with the exit code', async () => {
    const result = await exec(['box', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.deepEqual(result, { stdout: 'out\n', stderr: 'err\n', code: 7 });
    assert.equal((await exec(['box', 'sh', '-c', 'kill -9 $$'])).code, 137);
    assert.deepEqual(await exec(['box', 'true']), { stdout: '', stderr: '', code: 0 });
  });

  test('hands input on to its end with -i, and none without', async () => {
    const typed = await exec(['-i', 'box', 'sh', '-c', 'cat; echo end'], { input: 'one\ntwo\n' });
    assert.equal(typed.stdout, 'one\ntwo\nend\n');
    assert.equal((await exec(['-i', 'box', 'cat'], { input: '' })).code, 0);
    assert.equal((await exec(['box', 'cat'], { input: 'unheard' })).stdout, '');
  });

  test('runs in the container: its namespaces, files, environment and working directory', async () => {
    const script =
      'pwd; echo $FROM $HOSTNAME $HOME; cat index.html; ip -br -4 addr show eth0; ps | grep -c "sleep 3600"';
    const { Config, NetworkSettings } = await inspect(lab, 'box');
    const lines = (await exec(['box', 'sh', '-c', script])).stdout.split('\n');
    assert.deepEqual(lines.slice(0, 3), [
      '/www',
      `container ${Config.Hostname} /root`,
      'hello from the container',
    ]);
    assert.match(lines[3]!, new RegExp(NetworkSettings.IPAddress.replaceAll('.', '\\.')));
  });

  test('takes a user, a working directory and variables of its own', async () => {
    const args = ['-u', 'www', '-w', '/tmp', '-e', 'FROM=exec', '-e', 'MORE=b c', 'box'];
    const { stdout } = await exec([...args, 'sh', '-c', 'id; pwd; echo "$FROM|$MORE|$HOME"']);
    assert.equal(stdout, 'uid=33(www) gid=33(www) groups=33(www),50(staff)\n/tmp\nexec|b c|/www\n');
    assert.match((await exec(['-u', '1234:staff', 'box', 'id'])).stdout, /^uid=1234 gid=50\(staff\)/);
  });

  test("has the container's capabilities and limits, and all capabilities with --privileged", async () => {
    await lab.docker([
      ...[
        'run',
        '-d',
        '--name',
        'tight',
        '--cap-drop',
        'ALL',
        '--cap-add',
        'NET_RAW',
        '--ulimit',
        'nofile=123',
      ],
      ...['--security-opt', 'no-new-privileges', image, 'sleep', '3600'],
    ]);
    const script = 'grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status; ulimit -n';
    const shown = (await exec(['tight', 'sh', '-c', script])).stdout;
    assert.deepEqual(
      shown.split('\n').map((line) => line.split('\t').at(-1)),
      ['0000000000002000', '1', '2', '123', ''],
    );
    const asUser = (await exec(['-u', 'www', 'tight', 'grep', '-E', 'CapEff|CapBnd', '/proc/self/status']))
      .stdout;
    assert.equal(asUser, 'CapEff:\t0000000000000000\nCapBnd:\t0000000000002000\n');
    // Docker's own gives capabilities that this machine does not have, and fails.
    if (!peer) {
      const all = (await exec(['--privileged', 'tight', 'grep', 'CapEff', '/proc/self/status'])).stdout;
      assert.equal(all, (await lab.run('grep CapBnd /proc/self/status')).stdout.replace('CapBnd', 'CapEff'));
    }
    await removeContainers(lab, 'tight');
  });

  test('with -d comes back at once and leaves the command running', async () => {
    const startedAt = performance.now();
    assert.equal((await exec(['-d', 'box', 'sh', '-c', 'sleep 1; echo done > /tmp/detached'])).code, 0);
    assert.ok(performance.now() - startedAt < 900);
    await eventually(async () =>
      assert.equal((await exec(['box', 'cat', '/tmp/detached'])).stdout, 'done\n'),
    );
  });

  test('programs can open their standard streams again', async () => {
    const result = await exec(
      ['-i', 'box', 'sh', '-c', 'cat /dev/stdin > /dev/stdout; echo oops > /dev/stderr'],
      {
        input: 'through\n',
      },
    );
    assert.deepEqual(result, { stdout: 'through\n', stderr: 'oops\n', code: 0 });
  });

  test('fifty megabytes arrive as they were, in both directions', async () => {
    const data = Buffer.alloc(50 * 1024 * 1024);
    for (let at = 0; at < data.length; at += 4) data.writeUInt32LE((at * 2654435761) >>> 0, at);
    const sum = createHash('md5').update(data).digest('hex');
    const wide = { input: data, timeoutMs: 120_000 };
    const up = await lab.docker(['exec', '-i', 'box', 'sh', '-c', 'cat > /tmp/big; md5sum < /tmp/big'], wide);
    assert.equal(up.stdout.split(' ')[0], sum);
    // Through the shell: what this process would keep is text.
    const down = await lab.run(
      ['sh', '-c', `docker -H unix://${lab.engine.socket} exec box cat /tmp/big | md5sum`],
      {
        timeoutMs: 120_000,
      },
    );
    assert.equal(down.stdout.split(' ')[0], sum);
    await exec(['box', 'rm', '/tmp/big']);
  });

  test('waits for a slow reader and loses nothing', async () => {
    const command = `docker -H unix://${lab.engine.socket} exec box seq 1 200000 | (sleep 1; md5sum)`;
    const { stdout } = await lab.run(['sh', '-c', command]);
    const expected = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join('');
    assert.equal(stdout.split(' ')[0], createHash('md5').update(expected).digest('hex'));
  });

  test('many at a time do not mix', async () => {
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, index) => exec(['box', 'sh', '-c', `echo ${index}; exit ${index}`])),
    );
    assert.deepEqual(
      results.map(({ stdout, code }) => [stdout, code]),
      Array.from({ length: 12 }, (_, index) => [`${index}\n`, index]),
    );
  });

  test('works in container mode and in host mode', async () => {
    await lab.docker(`run -d --name joined --net container:box ${image} sleep 3600`);
    await lab.docker(`run -d --name hosted --net host ${image} sleep 3600`);
    const { Config, NetworkSettings } = await inspect(lab, 'box');
    const { stdout } = await exec(['joined', 'sh', '-c', 'echo $HOSTNAME; ip -br -4 addr show eth0']);
    assert.match(stdout, new RegExp(`^${Config.Hostname}\\n.*${NetworkSettings.IPAddress}/16`));
    assert.match((await exec(['hosted', 'ip', '-br', '-4', 'addr'])).stdout, /198\.51\.100\.1\/24/);
    assert.equal((await exec(['hosted', 'sh', '-c', 'echo $HOSTNAME'])).stdout, 'lab-host\n');
    await removeContainers(lab, 'joined', 'hosted');
  });
});

describe('docker exec with a terminal', () => {
  test("is a terminal of the size of the client's", aboutOurs, async () => {
    await using client = new TerminalClient(lab, "docker exec -it box sh -c 'tty; stty size; echo $TERM'");
    await client.ended;
    assert.equal(client.shown, '/dev/pts/0\r\n33 77\r\nxterm\r\ncode 0\r\n');
  });

  test('carries typed lines, and ctrl-C to the command', async () => {
    const script = 'trap "echo caught; exit 5" INT; read line; echo "got $line"; echo ready; sleep 60 & wait';
    await using client = new TerminalClient(lab, `docker exec -it box sh -c '${script}'`);
    client.type('hello\n');
    await eventually(() => assert.match(client.shown, /got hello\r\nready/));
    client.type('\u0003');
    await client.ended;
    assert.match(client.shown, /caught\r\ncode 5\r\n$/);
  });

  test('is left with ctrl-p ctrl-q, and goes on', async () => {
    await using client = new TerminalClient(
      lab,
      "docker exec -it box sh -c 'echo ready; sleep 1; echo on > /tmp/left'",
    );
    await eventually(() => assert.match(client.shown, /ready/));
    client.type('\u0010\u0011');
    await client.ended;
    await eventually(async () => assert.equal((await exec(['box', 'cat', '/tmp/left'])).stdout, 'on\n'));
  });

  test("follows the size of the client's terminal", async () => {
    const id = await createExec({
      ...attached,
      Tty: true,
      Cmd: ['sh', '-c', 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.05; done'],
    });
    const wire = new ExecWire();
    wire.start(id, { tty: true });
    await wire.sees('ready');
    const answer = await lab.api('POST', `/v1.41/exec/${id}/resize?h=11&w=44`);
    assert.equal(answer.status, 200, answer.text);
    await wire.ended;
    assert.match(wire.body, /11 44\r\n$/);
  });

  test('without -i shows what comes', async () => {
    assert.deepEqual(await exec(['-t', 'box', 'sh', '-c', 'echo out; echo err >&2; exit 3']), {
      stdout: 'out\r\nerr\r\n',
      stderr: '',
      code: 3,
    });
  });
});

describe('over the wire', () => {
  const echo = { ...attached, Cmd: ['sh', '-c', 'echo begins; cat; echo ends >&2'] };
  const answer = (input: string) => ({ stdout: `begins\n${input}`, stderr: 'ends\n' });

  test(
    'input may follow the body in one packet; its half-close ends the input, and the output still comes',
    aboutOurs,
    async () => {
      const wire = new ExecWire();
      wire.start(await createExec(echo), { more: 'early input\n' });
      wire.socket.end();
      await wire.ended;
      assert.match(wire.head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
      assert.deepEqual(demultiplex(wire.body), answer('early input\n'));
    },
  );

  test('a body may come in pieces, and in chunks', async () => {
    for (const chunked of [false, true]) {
      const wire = new ExecWire();
      const id = await createExec(echo);
      const body = JSON.stringify({ Detach: false, Tty: false });
      const whole = chunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
      const length = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
      const bytes = `${startHead(id, true, length)}${whole}and input`;
      // Cut inside the head, in the middle of the body and between body and input.
      const cuts = [20, bytes.indexOf(body) + 3, bytes.length - 'and input'.length, bytes.length];
      let from = 0;
      for (const to of cuts) {
        wire.socket.write(bytes.slice(from, to));
        from = to;
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      wire.socket.end();
      await wire.ended;
      assert.deepEqual(demultiplex(wire.body), answer('and input'), `chunked: ${chunked}`);
    }
  });

  test('without an upgrade the answer is 200, and carries both directions as well', async () => {
    const wire = new ExecWire();
    wire.start(await createExec(echo), { upgrade: false });
    await wire.sees('begins');
    assert.match(wire.head, /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream/);
    wire.socket.end('GET / HTTP/1.1\r\n\r\n');
    await wire.ended;
    assert.deepEqual(demultiplex(wire.body), answer('GET / HTTP/1.1\r\n\r\n'));
  });

  test('with a terminal nothing is framed', async () => {
    const wire = new ExecWire();
    wire.start(await createExec({ ...attached, Tty: true, Cmd: ['sh', '-c', 'echo out; echo err >&2'] }), {
      tty: true,
    });
    await wire.ended;
    assert.equal(wire.body, 'out\r\nerr\r\n');
  });

  test('only the streams that were asked for are shown', async () => {
    const wire = new ExecWire();
    wire.start(await createExec({ ...echo, AttachStdin: false, AttachStdout: false }), { more: 'unheard' });
    await wire.ended;
    assert.deepEqual(demultiplex(wire.body), { stdout: '', stderr: 'ends\n' });
  });

  test('slow input ends only when all of it was taken', async () => {
    const wire = new ExecWire();
    wire.start(await createExec({ ...attached, Cmd: ['sh', '-c', 'sleep 0.5; wc -c'] }));
    wire.socket.end('x'.repeat(3_000_000));
    await wire.ended;
    assert.deepEqual(demultiplex(wire.body), { stdout: '3000000\n', stderr: '' });
  });

  test('a client that vanishes does not stop the command', aboutOurs, async () => {
    const wire = new ExecWire();
    const id = await createExec({ ...attached, Cmd: ['sh', '-c', 'echo up; sleep 0.5; echo on; exit 4'] });
    wire.start(id);
    await wire.sees('up');
    wire.socket.destroy();
    assert.equal((await inspectExec(id)).Running, true);
    await eventually(async () => assert.equal((await inspectExec(id)).ExitCode, 4));
  });

  test('inspect tells what there is to know before, during and after', async () => {
    const id = await createExec({ ...attached, User: 'www', Tty: false, Cmd: ['sleep', '600'] });
    const { Id } = await inspect(lab, 'box');
    const before = await inspectExec(id);
    assert.equal(before.ID, id);
    assert.equal(before.ContainerID, Id);
    assert.deepEqual([before.Running, before.ExitCode], [false, null]);
    assert.deepEqual([before.OpenStdin, before.OpenStdout, before.OpenStderr], [true, true, true]);
    assert.deepEqual(before.ProcessConfig, {
      tty: false,
      entrypoint: 'sleep',
      arguments: ['600'],
      privileged: false,
      user: 'www',
    });
    const wire = new ExecWire();
    wire.start(id);
    await eventually(async () => {
      const { Running, ExitCode, Pid } = await inspectExec(id);
      assert.deepEqual([Running, ExitCode, Pid > 0], [true, null, true]);
    });
    const ids = await lab.dockerOutput(['inspect', '-f', '{{json .ExecIDs}}', 'box']);
    assert.deepEqual(JSON.parse(ids), [id]);
    const { Pid } = await inspectExec(id);
    await lab.run(`kill -TERM ${Pid}`);
    await wire.ended;
    const after = await inspectExec(id);
    assert.deepEqual([after.Running, after.ExitCode], [false, 143]);
    assert.equal(await lab.dockerOutput(['inspect', '-f', '{{json .ExecIDs}}', 'box']), 'null');
  });

  test('events tell of the creation, the start and the end', async () => {
    const since = (Date.now() / 1000).toFixed(3);
    assert.equal((await exec(['box', 'sh', '-c', 'exit 6'])).code, 6);
    const until = ((Date.now() + 50) / 1000).toFixed(3);
    const format =
      '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.execID}}';
    const events = await lab.dockerOutput(['events', '--since', since, '--until', until, '--format', format]);
    const lines = events.split('\n').map((line) => line.replace(/[0-9a-f]{64}$/, 'ID'));
    assert.deepEqual(lines, [
      'exec_create: sh -c exit 6 box <no value> ID',
      'exec_start: sh -c exit 6 box <no value> ID',
      'exec_die box 6 ID',
    ]);
    const only = [
      '--since',
      since,
      '--until',
      until,
      '--filter',
      'event=exec_start',
      '--format',
      '{{.Action}}',
    ];
    assert.equal(await lab.dockerOutput(['events', ...only]), 'exec_start: sh -c exit 6');
  });
});

describe('the container ends', () => {
  test('its execs end with it: streams close, the exit code is 137', aboutOurs, async () => {
    await lab.docker(`run -d --name short ${image} sleep 3600`);
    const client = exec(['short', 'sh', '-c', 'echo up; touch /tmp/up; sleep 600']);
    const id = await createExec({ AttachStdout: true, Cmd: ['yes'] }, 'short');
    // Nobody reads what this one writes.
    const wire = new ExecWire();
    wire.start(id);
    wire.socket.pause();
    const unstarted = await createExec({ Cmd: ['true'] }, 'short');
    await eventually(async () => assert.equal((await exec(['short', 'ls', '/tmp/up'])).code, 0));
    await eventually(async () => assert.equal((await inspectExec(id)).Running, true));
    assert.equal(await lab.dockerOutput(['inspect', '-f', '{{len .ExecIDs}}', 'short']), '3');
    await lab.docker('kill short');
    assert.deepEqual([(await client).stdout, (await client).code], ['up\n', 137]);
    await eventually(async () => assert.equal((await inspectExec(id)).ExitCode, 137));
    wire.socket.destroy();
    const late = await lab.api('POST', `/v1.41/exec/${unstarted}/start`, { Detach: true });
    assert.ok([404, 409].includes(late.status), late.text);
    await removeContainers(lab, 'short');
  });
});

describe('mistakes', () => {
  interface Problem {
    readonly message: string;
  }
  async function answered(
    path: string,
    body: object | string,
    status: number,
    message: RegExp,
  ): Promise<void> {
    const answer = await lab.api<Problem>('POST', `/v1.41${path}`, body);
    assert.match(answer.json?.message ?? `no JSON: ${answer.text}`, message);
    assert.equal(answer.status, status, answer.text);
  }
  const create = '/containers/box/exec';

  test('when it is made', async () => {
    await lab.docker(`create --name still ${image} sleep 3600`);
    const { Id } = await inspect(lab, 'still');
    await answered('/containers/nope/exec', { Cmd: ['true'] }, 404, /^No such container: nope$/);
    await answered(
      '/containers/still/exec',
      { Cmd: ['true'] },
      409,
      new RegExp(`^[Cc]ontainer ${Id} is not running$`),
    );
    await answered(create, {}, 400, /^No exec command specified$/);
    await answered(create, { Cmd: [] }, 400, /^No exec command specified$/);
    await removeContainers(lab, 'still');
  });

  test('in the shape of what is sent', aboutOurs, async () => {
    for (const [body, message] of [
      [{ Cmd: 5 }, /^invalid JSON: Cmd must be/],
      [{ Cmd: ['true', 5] }, /^invalid JSON: Cmd\.1 must be string$/],
      [{ Cmd: ['true'], Env: 'A=b' }, /^invalid JSON: Env must be/],
      [{ Cmd: ['true'], Tty: 'yes' }, /^invalid JSON: Tty must be/],
      [{ Cmd: ['true'], User: 0 }, /^invalid JSON: User must be/],
      [
        { Cmd: ['true'], ConsoleSize: [1] },
        /^ConsoleSize is a number of rows and one of columns, not \[1\]$/,
      ],
      [{ Cmd: ['true'], ConsoleSize: [-1, 5] }, /^invalid JSON: ConsoleSize\.0 must be >= 0$/],
      ['{', /^invalid JSON: /],
      ['[]', /^invalid JSON: body must be object$/],
    ] as const) {
      await answered(create, body, 400, message);
    }
    const id = await createExec({ Cmd: ['true'] });
    await answered(`/exec/${id}/start`, { Detach: 1 }, 400, /^invalid JSON: Detach must be/);
    await answered(`/exec/${id}/start`, { Tty: true, ConsoleSize: [1, 2, 3] }, 400, /^ConsoleSize is/);
    for (const query of ['', '?h=1', '?h=0&w=5', '?h=x&w=5', '?h=-1&w=5']) {
      await answered(`/exec/${id}/resize${query}`, '', 400, /at least 1 row|invalid value for h/);
    }
    await answered(
      `/exec/${id}/resize?h=5&w=5`,
      '',
      409,
      /^Exec command [0-9a-f]{64} has no running terminal$/,
    );
    const large = JSON.stringify({ Cmd: ['x'.repeat(5_000_000)] });
    await answered(create, large, 413, /^request body too large/);
  });

  test('an unknown exec', async () => {
    const message = /^No such exec instance: nope$/;
    await answered('/exec/nope/start', { Detach: true }, 404, message);
    await answered('/exec/nope/start', {}, 404, message);
    await answered('/exec/nope/resize?h=1&w=1', '', 404, message);
    assert.equal((await lab.api('GET', '/v1.41/exec/nope/json')).status, 404);
  });

  test('an upgrade that is refused is answered like any other request', aboutOurs, async () => {
    const wire = new ExecWire();
    wire.start('nope');
    await wire.ended;
    assert.match(wire.head, /^HTTP\/1\.1 404 Not Found\r\n/);
    assert.equal(wire.body, '{"message":"No such exec instance: nope"}\n');
  });

  test('a second start', async () => {
    const id = await createExec({ Cmd: ['sleep', '1'] });
    const path = `/exec/${id}/start`;
    assert.equal((await lab.api('POST', `/v1.41${path}`, { Detach: true })).status, 200);
    await answered(path, { Detach: true }, 409, new RegExp(`^Error: Exec command ${id} is already running$`));
    await eventually(async () => assert.equal((await inspectExec(id)).Running, false));
    await answered(path, { Detach: true }, 409, new RegExp(`^Error: Exec command ${id} has already run$`));
  });

  /** What a docker client shows, and its exit code; 127 is what newer engines make of a missing program. */
  const failures: readonly (readonly [args: string, message: RegExp, code: number])[] = [
    [
      'box nope',
      /^OCI runtime exec failed: .*exec: "nope": executable file not found in \$PATH: unknown$/,
      127,
    ],
    ['box /nope', /^OCI runtime exec failed: .*stat \/nope: no such file or directory: unknown$/, 127],
    [
      'box /etc',
      /^OCI runtime exec failed: .*exec: "\/etc": (permission denied|is a directory): unknown$/,
      126,
    ],
    ['box /etc/not-executable', /^OCI runtime exec failed: .*permission denied: unknown$/, 126],
    ['-u nobody2 box true', /^unable to find user nobody2: no matching entries in passwd file$/, 126],
    ['-u www:nope box true', /^unable to find group nope: no matching entries in group file$/, 126],
    ['-u -5 box true', /^uids and gids must be in range 0-2147483647$/, 126],
    [
      '-w /nope box true',
      /^OCI runtime exec failed: .*chdir to cwd \("\/nope"\) .*no such file or directory: unknown$/,
      126,
    ],
    ['-w relative box true', /^OCI runtime exec failed: .*Cwd must be an absolute path: unknown$/, 126],
    ['-w /etc/passwd box true', /^OCI runtime exec failed: .*not a directory: unknown/, 126],
  ];

  for (const [args, message, code] of failures) {
    test(`exec ${args}`, async () => {
      const words = args.split(' ');
      const attachedResult = await exec(words);
      assert.match(attachedResult.stdout.trimEnd(), message);
      assert.equal(attachedResult.code, peer ? 126 : code);
      // Without streams the reason is the answer.
      const detached = await exec(['-d', ...words]);
      assert.match(detached.stderr.replace('Error response from daemon: ', '').trimEnd(), message);
      assert.equal(detached.code, 1);
      if (peer) return;
      const ours = await lab.seaway(['exec', ...words], { allowFailure: true });
      assert.match(ours.stdout.trimEnd(), message);
      assert.equal(ours.code, code);
      const oursDetached = await lab.seaway(['exec', '-d', ...words], { allowFailure: true });
      assert.match(oursDetached.stderr.replace('seaway: ', '').trimEnd(), message);
      assert.equal(oursDetached.code, 1);
    });
  }

  test('a container whose account file keeps its readers waiting harms itself alone', aboutOurs, async () => {
    await lab.docker(`run -d --name trap ${image} sleep 3600`);
    await exec(['trap', 'sh', '-c', 'rm /etc/passwd; mkfifo /etc/passwd']);
    assert.match((await exec(['-u', 'www', 'trap', 'id'])).stdout, /^unable to find user www/);
    // The runtime reads the file too, inside the container, and waits.
    const waiting = Array.from({ length: 6 }, () => exec(['trap', 'id']));
    assert.equal((await exec(['box', 'id', '-u'])).stdout, '0\n');
    await removeContainers(lab, 'trap');
    for (const { code } of await Promise.all(waiting)) assert.notEqual(code, 0);
  });

  test('a container that is no more', async () => {
    await lab.docker(`run -d --name gone ${image} sleep 3600`);
    const id = await createExec({ Cmd: ['true'] }, 'gone');
    await removeContainers(lab, 'gone');
    assert.equal((await lab.api('GET', `/v1.41/exec/${id}/json`)).status, 404);
    await answered(`/exec/${id}/start`, {}, 404, /No such (exec instance|container)/);
  });
});

describe('what is left', aboutOurs, () => {
  /** What the daemon holds and what runs besides it. */
  function holdings(): Record<string, readonly string[] | number> {
    const count = (folder: string) => readdirSync(folder).length;
    return {
      descriptors: count(`/proc/${lab.engine.pid}/fd`),
      folders: readdirSync(lab.pathInside(`${lab.engine.execRoot}/execs`)),
      temporary: readdirSync(lab.pathInside('/tmp')).filter((name) => name.startsWith('conmon')),
      // What ended inside is the container's own first process's to clear away.
      processes: processes(lab)
        .map(({ command }) => command.replace(/[0-9a-f]{64}/g, 'ID'))
        .filter((command) => !/has ended/.test(command)),
      ended: peer
        ? []
        : childrenOf(lab.engine.pid)
            .filter((pid) => !isProcessAlive(pid))
            .map(String),
    };
  }

  test('of a hundred execs and of those that failed: nothing', async () => {
    const several = async () => {
      await Promise.all([
        exec(['box', 'true']),
        exec(['-t', 'box', 'true']),
        exec(['-i', 'box', 'cat'], { input: 'x' }),
        exec(['-d', 'box', 'true']),
        exec(['box', 'nope']),
        exec(['-t', 'box', 'nope']),
        exec(['-d', 'box', 'nope']),
        exec(['-u', 'nope', 'box', 'true']),
        exec(['-w', '/nope', '-t', 'box', 'true']),
      ]);
    };
    // The first ones bring up what stays: threads and their descriptors.
    await several();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = await eventually(() => {
      const held = holdings();
      assert.deepEqual(held.ended, []);
      return held;
    });
    for (let round = 0; round < 12; round += 1) await several();
    await eventually(() => assert.deepEqual(holdings(), before));
  });
});

describe('seaway exec', aboutOurs, () => {
  const seaway = (args: readonly string[], options: { input?: string } = {}) =>
    lab.seaway(['exec', ...args], { allowFailure: true, ...options });

  test('output, errors, input and exit code', async () => {
    const result = await seaway(['-i', 'box', 'sh', '-c', 'echo out; echo err >&2; cat; exit 7'], {
      input: 'in\n',
    });
    assert.deepEqual(result, { stdout: 'out\nin\n', stderr: 'err\n', code: 7 });
  });

  test('user, working directory and environment', async () => {
    const args = [
      '-u',
      'www',
      '-w',
      '/tmp',
      '-e',
      'A=b',
      '--env=C',
      'box',
      'sh',
      '-c',
      'id -u; pwd; echo $A $C',
    ];
    const { stdout } = await lab.seaway(['exec', ...args], { env: { C: 'd' } });
    assert.equal(stdout, '33\n/tmp\nb d\n');
  });

  test('in the background', async () => {
    assert.deepEqual(await seaway(['-d', 'box', 'touch', '/tmp/ours']), { stdout: '', stderr: '', code: 0 });
    await eventually(async () => assert.equal((await seaway(['box', 'ls', '/tmp/ours'])).code, 0));
  });

  test('on a terminal', async () => {
    await using client = new TerminalClient(
      lab,
      `${seawayProgram} exec -it box sh -c 'stty size; read key; exit 9'`,
    );
    await eventually(() => assert.match(client.shown, /^33 77\r+\n/));
    client.type('x\n');
    await client.ended;
    assert.match(client.shown, /code 9\r\n$/);
  });

  test('mistakes on the command line', async () => {
    for (const [args, complaint, code] of [
      [[], /missing required argument 'CONTAINER'/, 1],
      [['box'], /missing required argument 'COMMAND/, 1],
      [['--nope', 'box', 'true'], /unknown option '--nope'/, 125],
      [['-e', '=x', 'box', 'true'], /invalid argument "=x" for "-e, --env" flag/, 125],
      [['--env-file', '/nope', 'box', 'true'], /invalid env file \(\/nope\)/, 125],
      [['-it', 'box', 'true'], /stdin is not a terminal/, 1],
      [['nope', 'true'], /^seaway: No such container: nope$/m, 1],
    ] as const) {
      const result = await seaway(args);
      assert.match(result.stderr, complaint);
      assert.equal(result.code, code, result.stderr);
    }
  });
});

test('an exec goes on when the daemon is killed, and is unknown to the next one', aboutOurs, async () => {
  const id = await createExec({
    AttachStdout: true,
    Cmd: ['sh', '-c', 'sleep 1; echo survived > /tmp/survived; sleep 600'],
  });
  const wire = new ExecWire();
  wire.start(id);
  await eventually(async () => assert.ok((await inspectExec(id)).Pid > 0));
  await lab.engine.restart('SIGKILL');
  await wire.ended;
  assert.equal((await lab.api('GET', `/v1.41/exec/${id}/json`)).status, 404);
  await eventually(async () =>
    assert.equal((await exec(['box', 'cat', '/tmp/survived'])).stdout, 'survived\n'),
  );
  await removeContainers(lab, 'box');
  await eventually(() => {
    const monitors = processes(lab).filter(({ command }) => command.includes('conmon'));
    assert.deepEqual(monitors, []);
  });
});
