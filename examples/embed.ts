/**
 * The engine inside a program of one's own, without a daemon and without HTTP. Run it as root, where no other engine
 * manages the network:
 *
 *     node examples/embed.ts ROOTFS.TAR FOLDER [CGROUP]
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { containerRequest, Engine } from '@seaway/engine';

const [rootfs = 'rootfs.tar', folder = '/var/lib/embedded', cgroupParent = '/embedded'] =
  process.argv.slice(2);

await using engine = await Engine.open({
  dataRoot: join(folder, 'data'),
  execRoot: join(folder, 'exec'),
  cgroupParent,
});
await engine.images.import(createReadStream(rootfs), { reference: 'busybox' });

const server = await engine.containers.create(
  containerRequest({ image: 'busybox', name: 'web', command: ['httpd', '-f', '-p', '80', '-h', '/www'] }),
);
await engine.containers.start(server.id);
const [endpoint] = engine.networks.endpointsOfContainer(server.id);
console.log(`web listens on ${endpoint?.ipv4Address}`);

const client = await engine.containers.create(
  containerRequest({ image: 'busybox', command: ['wget', '-qO-', `http://${endpoint?.ipv4Address}/`] }),
);
const ended = engine.containers.wait(client.id, 'next-exit');
await engine.containers.start(client.id);
console.log(`the client ended with ${(await ended).exitCode} and wrote:`);
for await (const { data } of engine.containers.logs(client.id, { stdout: true, stderr: true })) {
  process.stdout.write(data);
}

for (const { id } of engine.containers.list()) await engine.containers.remove(id, { force: true });
