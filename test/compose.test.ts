/**
 * docker-compose (the one in Python that Debian has), unchanged: a project of three services, from `up` to `down`, and
 * two projects beside each other.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { type CommandOptions, type Output, runCommand } from './lab/command.ts';
import { expectSameInventory, type Inventory, takeInventory } from './lab/inventory.ts';
import { eventually, image, openStory } from './lab/story.ts';

const lab = await openStory();
const folder = join(lab.directory, 'shop');

/** The web server shows what the others have told it; the worker asks it once, by each of the names it has for it. */
const composeFile = `
x-worker: &worker
  image: ${image}
  command: ["sh", "-c", "for name in web front-door; do wget -qO- http://$$name/; done; echo asked; exec sleep 600"]
services:
  web:
    image: ${image}
    command: ["sh", "-c", "echo serving; exec httpd -f -p 80 -h /www"]
    environment:
      MOOD: \${MOOD:-good}
    ports: ["\${PORT:-8080}:80", "81"]
    expose: ["82"]
    labels: {tier: front}
    restart: unless-stopped
    networks:
      front:
      back: {aliases: [front-door]}
    volumes: ["data:/data", "/cache", "./page.html:/www/page.html:ro"]
    depends_on:
      db: {condition: service_healthy}
  db:
    image: ${image}
    command: ["sh", "-c", "sleep 0.3; touch /tmp/ready; exec sleep 600"]
    healthcheck:
      test: ["CMD", "test", "-e", "/tmp/ready"]
      interval: 100ms
      timeout: 2s
      retries: 50
    networks: {back: {aliases: [database]}}
    volumes: ["store:/store"]
  worker:
    <<: *worker
    networks: [back]
    links: ["db:primary"]
    tmpfs: [/scratch]
    depends_on: [web]
networks:
  front:
  back:
    internal: true
    labels: {side: back}
    ipam:
      config:
        - subnet: 10.88.\${NET:-0}.0/24
volumes:
  data:
  store: {labels: {kept: "yes"}}
`;

let clean: Inventory;

before(async () => {
  mkdirSync(folder);
  writeFileSync(join(folder, 'docker-compose.yml'), composeFile);
  writeFileSync(join(folder, 'page.html'), 'from the folder\n');
  // Everything an engine makes only once exists from here on.
  await lab.docker('network create first');
  await lab.docker(`run --rm --network first -p 80 ${image} true`);
  await lab.docker('network rm first');
  // What the kernel still takes away is none of what there was before.
  await eventually(async () => assert.doesNotMatch((await lab.run('ip -br link')).stdout, /^br-/m));
  clean = await takeInventory(lab, lab.engine);
});

function compose(args: readonly string[], options: CommandOptions = {}): Promise<Output> {
  const env = { ...lab.env, DOCKER_HOST: `unix://${lab.engine.socket}`, ...options.env };
  return runCommand(['docker-compose', '--ansi', 'never', ...args], { cwd: folder, ...options, env });
}

const output = async (...args: string[]) => (await compose(args)).stdout;
const names = async (...filters: string[]) =>
  (await lab.dockerOutput(['ps', ...filters, '--format', '{{.Names}}'])).split('\n').sort();
const inside = (container: string, script: string) =>
  lab.dockerOutput(['exec', container, 'sh', '-c', script]);
const page = async (port: number, path = '') =>
  (await lab.run(`curl -sf http://127.0.0.1:${port}/${path}`)).stdout;

describe('a project', () => {
  test('up makes networks, volumes and containers, in the order that they need each other', async () => {
    await compose(['up', '-d']);
    assert.deepEqual(await names(), ['shop_db_1', 'shop_web_1', 'shop_worker_1']);
    const facts = '{{.State.StartedAt}} {{if .State.Health}}{{.State.Health.Status}}{{end}}';
    const [db = '', web = '', worker = ''] = (
      await lab.dockerOutput(['inspect', '-f', facts, 'shop_db_1', 'shop_web_1', 'shop_worker_1'])
    ).split('\n');
    assert.match(db, / healthy$/);
    assert.ok(db < web && web < worker, `${db}, ${web}, ${worker}`);
    assert.equal(
      await lab.dockerOutput('network ls --filter label=side=back --format {{.Name}}'),
      'shop_back',
    );
    assert.equal(await lab.dockerOutput('volume ls -q --filter label=kept=yes'), 'shop_store');
  });

  test('up again finds that all is as it should be', async () => {
    const ids = await lab.dockerOutput('ps -q --no-trunc');
    assert.match((await compose(['up', '-d'])).stderr, /shop_web_1 is up-to-date/);
    assert.equal(await lab.dockerOutput('ps -q --no-trunc'), ids);
  });

  test('services reach each other by name, alias and link, and the host by the published port', async () => {
    assert.equal(await page(8080), 'hello from the container\n');
    assert.equal(await page(8080, 'page.html'), 'from the folder\n');
    await eventually(async () => assert.match(await lab.dockerOutput('logs shop_worker_1'), /asked/));
    const said = await output('logs', 'worker');
    assert.equal(said.match(/^worker_1 +\| hello from the container$/gm)?.length, 2, said);
    for (const name of ['db', 'database', 'shop_db_1', 'primary']) {
      assert.match(await inside('shop_worker_1', `getent hosts ${name}`), /^10\.88\.0\.\d+\s/, name);
    }
  });

  test('ps, port and top show it', async () => {
    const shown = await output('ps');
    assert.match(shown, /shop_db_1 .* Up \(healthy\)/);
    assert.match(shown, /shop_web_1 .* 0\.0\.0\.0:8080->80\/tcp/);
    assert.match(await output('port', 'web', '81'), /^0\.0\.0\.0:\d+\n$/);
    assert.match(await output('top', 'db'), /sleep 600/);
  });

  test('exec and run, with their exit codes', async () => {
    const failed = await compose(['exec', '-T', '-e', 'X=1', 'web', 'sh', '-c', 'echo $MOOD $X; exit 7'], {
      allowFailure: true,
    });
    assert.deepEqual([failed.code, failed.stdout], [7, 'good 1\n']);
    const once = await compose(['run', '--rm', '--no-deps', '-T', 'worker', 'wget', '-qO-', 'http://web/']);
    assert.equal(once.stdout, 'hello from the container\n');
    assert.deepEqual(await names('-a'), ['shop_db_1', 'shop_web_1', 'shop_worker_1']);
  });

  test('restart, stop and start', async () => {
    await compose(['restart', '-t', '0', 'worker']);
    await eventually(async () =>
      assert.equal((await lab.dockerOutput('logs shop_worker_1')).match(/asked/g)?.length, 2),
    );
    await compose(['stop', '-t', '0']);
    assert.deepEqual(await names(), ['']);
    assert.match(await output('ps', 'web'), /Exit 137/);
    await compose(['start']);
    assert.equal((await names()).length, 3);
    assert.equal(await page(8080), 'hello from the container\n');
  });

  test('a service is scaled up and down', async () => {
    await compose(['up', '-d', '--scale', 'worker=3']);
    const workers = () => names('--filter', 'name=worker');
    assert.deepEqual(await workers(), ['shop_worker_1', 'shop_worker_2', 'shop_worker_3']);
    const addresses = await inside('shop_db_1', 'getent ahostsv4 worker');
    assert.equal(new Set(addresses.match(/10\.88\.0\.\d+/g)).size, 3, addresses);
    await compose(['up', '-d', '--scale', 'worker=1', '-t', '0']);
    assert.deepEqual(await workers(), ['shop_worker_1']);
  });

  test('what has changed is made anew, with its volumes, and nothing else', async () => {
    await inside('shop_web_1', 'echo kept | tee /data/file /cache/file');
    const db = await lab.dockerOutput('ps -q --filter name=db');
    await compose(['up', '-d', '-t', '0'], { env: { MOOD: 'better' } });
    assert.equal(await inside('shop_web_1', 'echo $MOOD; cat /data/file /cache/file'), 'better\nkept\nkept');
    assert.equal(await lab.dockerOutput('ps -q --filter name=db'), db);
  });

  test('a second project of the same file stands beside it, also of an older client', async () => {
    const env = { PORT: '8081', NET: '1', COMPOSE_API_VERSION: '1.38' };
    const second = (...args: string[]) => compose(['-p', 'second', ...args], { env });
    await second('up', '-d');
    assert.equal((await names()).length, 6);
    assert.equal(await page(8081), 'hello from the container\n');
    assert.match(await inside('second_worker_1', 'getent hosts web'), /^10\.88\.1\./);
    await second('down', '-v', '-t', '0');
    assert.deepEqual(await names('-a'), ['shop_db_1', 'shop_web_1', 'shop_worker_1']);
    assert.equal(await page(8080), 'hello from the container\n');
  });

  test('down with -v leaves nothing', async () => {
    const { stderr } = await compose(['down', '-v', '-t', '0']);
    for (const what of ['network shop_front', 'network shop_back', 'volume shop_data', 'volume shop_store']) {
      assert.match(stderr, new RegExp(`Removing ${what}`));
    }
    // A volume without a name that a container took over from its forerunner is left, as with Docker.
    assert.match(await lab.dockerOutput('volume ls -q'), /^[0-9a-f]{64}$/);
    await lab.docker('volume prune -f');
    assert.equal(await lab.dockerOutput('volume ls -q'), '');
    await expectSameInventory(lab, clean, lab.engine);
  });
});
