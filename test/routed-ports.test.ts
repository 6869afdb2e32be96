/** Published ports on networks that are routed and not translated, as users of the docker client meet them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostAddress, hostAddress6 } from './lab/lab.ts';
import { ask } from './lab/neighbours.ts';
import { eventually, image, inspect, openStory } from './lab/story.ts';

const lab = await openStory({ args: ['--ip', '127.0.0.1'] });
const serveName = ['nc', '-ll', '-p', '80', '-e', 'hostname'];
const option = (name: string, value: string) => ['-o', `com.docker.network.bridge.${name}=${value}`];
const every = option('host_binding_ipv4', '0.0.0.0');

await lab.docker(['network', 'create', '--ipv6', ...option('gateway_mode_ipv6', 'routed'), ...every, 'half']);
await lab.docker(['network', 'create', '--ipv6', ...every, 'translated']);
await lab.docker(['network', 'create', ...option('gateway_mode_ipv4', 'routed'), 'routed']);

async function run(name: string, ...options: string[]): Promise<void> {
  await lab.docker(['run', '-d', '--name', name, '--hostname', name, ...options, image, ...serveName]);
}

const ports = async (name: string) => (await inspect(lab, name)).NetworkSettings.Ports;
const shown = (name: string) =>
  lab.dockerOutput(['ps', '--filter', `name=${name}`, '--format', '{{.Ports}}']);
const answers = async (address: string, port = 8080) => {
  await eventually(async () => assert.equal(await ask(lab, 'outside', { address, port }), 'web'));
};
const refuses = async (address: string) =>
  assert.equal(await ask(lab, 'outside', { address, port: 8080 }), 'ECONNREFUSED');

test('a port of a family that is routed has no port of the host, and is told without one', async () => {
  await run('web', '--network', 'half', '-p', '8080:80');
  assert.deepEqual(await ports('web'), {
    '80/tcp': [
      { HostIp: '0.0.0.0', HostPort: '8080' },
      { HostIp: '::', HostPort: '' },
    ],
  });
  assert.equal(await lab.dockerOutput('port web'), '80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:');
  assert.equal(await shown('web'), '0.0.0.0:8080->80/tcp, [::]:0->80/tcp');
  const ours = await lab.seaway(['ps', '--format', '{{.Ports}}']);
  assert.equal(ours.stdout.trim(), '0.0.0.0:8080->80/tcp, [::]:0->80/tcp');
  assert.equal((await lab.seaway('port web')).stdout, '80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:\n');
  // The network asks for every address, although the daemon prefers one.
  await answers(hostAddress);
  await refuses(hostAddress6);
});

test('a routed network opens ports beside the one that translates, and nothing for the host alone', async () => {
  await run('far', '--network', 'routed', '-p', '0.0.0.0::80', '-p', '127.0.0.1:81:81', '--expose', '9');
  assert.deepEqual(await ports('far'), {
    '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '' }],
    '81/tcp': null,
    '9/tcp': null,
  });
  assert.equal(await shown('far'), '9/tcp, 81/tcp, 0.0.0.0:0->80/tcp');
  await lab.docker('stop -t 0 far');
  assert.deepEqual(await ports('far'), {});
});

test('ports of the host come and go with the family that is translated', async () => {
  await lab.docker('network connect --gw-priority 1 translated web');
  assert.deepEqual(await ports('web'), {
    '80/tcp': [
      { HostIp: '0.0.0.0', HostPort: '8080' },
      { HostIp: '::', HostPort: '8080' },
      { HostIp: '::', HostPort: '' },
    ],
  });
  await answers(hostAddress6);
  await answers(hostAddress);
  await lab.docker('network disconnect translated web');
  await refuses(hostAddress6);
  await answers(hostAddress);
  const { stdout } = await lab.seaway('firewall show --model');
  assert.match(stdout, /^0\.0\.0\.0:8080\/tcp +web +172\.\d+\.0\.2:80 +kernel$/m);
  assert.match(stdout, /^- +web +\[fd.*\]:80\/tcp +routing$/m);
  assert.doesNotMatch(stdout, /^\[::\]:8080/m);
  const names = JSON.parse(await lab.dockerOutput('network inspect bridge'))[0].Options;
  assert.equal(names['com.docker.network.bridge.host_binding_ipv4'], '127.0.0.1');
});
