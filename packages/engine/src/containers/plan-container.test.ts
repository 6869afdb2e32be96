import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ImageId } from '../base/ids.ts';
import type { ImageRecord } from '../model/image.ts';
import { type CreateRequest, planContainer } from './plan-container.ts';

const image = {
  id: `sha256:${'1'.repeat(64)}` as ImageId,
  config: {
    env: ['PATH=/bin', 'LANG=C'],
    cmd: ['serve'],
    entrypoint: ['/start'],
    workingDir: '/app',
    user: 'www',
    labels: { from: 'image', kept: 'yes' },
    exposedPorts: ['80/tcp'],
    volumes: [],
    stopSignal: 'SIGQUIT',
    shell: null,
  },
} as unknown as ImageRecord;

const bridge = { kind: 'network', network: 'bridge' };

function request(
  config: object = {},
  host: object = {},
  networks: CreateRequest['networks'] = {},
): CreateRequest {
  return {
    config: {
      env: [],
      cmd: null,
      entrypoint: null,
      user: '',
      workingDir: '',
      labels: {},
      exposedPorts: [],
      ...config,
    },
    host: { capAdd: [], capDrop: [], securityOpt: [], portBindings: [], networkMode: bridge, ...host },
    networks,
  } as unknown as CreateRequest;
}

describe('a new container', () => {
  it('has what its image says where the request is silent', () => {
    const { path, args, config, imageId, state } = planContainer(request(), image);
    assert.deepEqual([path, args], ['/start', ['serve']]);
    assert.deepEqual([config.user, config.workingDir, config.stopSignal], ['www', '/app', 'SIGQUIT']);
    assert.deepEqual([config.env, config.exposedPorts], [image.config.env, ['80/tcp']]);
    assert.equal(imageId, image.id);
    assert.deepEqual([state.status, state.pid, state.startedAt], ['created', 0, '0001-01-01T00:00:00Z']);
  });

  it('has what the request says otherwise', () => {
    const { path, args, config } = planContainer(
      request({
        env: ['LANG=de', 'X=1', 'PATH'],
        cmd: ['-v'],
        entrypoint: ['/other'],
        user: '7',
        labels: { from: 'user' },
        exposedPorts: ['80/tcp', '53/udp'],
        stopSignal: 'INT',
      }),
      image,
    );
    assert.deepEqual([path, args], ['/other', ['-v']]);
    assert.deepEqual(
      config.env,
      ['LANG=de', 'X=1', 'PATH'],
      'a name alone takes the variable of the image away',
    );
    assert.deepEqual(config.labels, { from: 'user', kept: 'yes' });
    assert.deepEqual(config.exposedPorts, ['80/tcp', '53/udp']);
    assert.deepEqual([config.user, config.stopSignal], ['7', 'INT']);
  });

  it('exposes what it publishes', () => {
    const published = { hostAddress: '', hostPortFirst: 0, hostPortLast: 0 };
    const portBindings = [
      { port: 80, protocol: 'tcp', ...published },
      { port: 53, protocol: 'udp', ...published },
      { port: 53, protocol: 'udp', ...published },
    ];
    const { config } = planContainer(request({ exposedPorts: ['9/sctp'] }, { portBindings }), image);
    assert.deepEqual(config.exposedPorts, ['80/tcp', '9/sctp', '53/udp']);
  });

  it('is refused now for what could only fail later', () => {
    const refused: [CreateRequest, RegExp][] = [
      [request({ stopSignal: 'ZZ' }), /Invalid signal: ZZ/],
      [request({}, { capAdd: ['NOPE'] }), /NOPE/],
      [request({}, { securityOpt: ['junk=1'] }), /^invalid --security-opt 2: "junk=1"$/],
      [
        request({}, {}, { bridge: { aliases: ['x'], links: [], driverOptions: {}, gatewayPriority: 0 } }),
        /network-scoped aliases are only supported for user-defined networks/,
      ],
    ];
    for (const [bad, message] of refused)
      assert.throws(() => planContainer(bad, image), { kind: 'invalid', message });
  });

  it('takes links to networks of the users as settings of these, where they say nothing themselves', () => {
    const none = { aliases: [], links: [], driverOptions: {}, gatewayPriority: 0 };
    const linked = (network: string, links: string[]) =>
      planContainer(
        {
          ...request({}, { networkMode: { kind: 'network', network } }, { [network]: { ...none, links } }),
          links: ['db:store'],
        },
        image,
      ).networks[network]?.links;
    assert.deepEqual(linked('shop', []), ['db:store']);
    assert.deepEqual(linked('shop', ['a:b']), ['a:b']);
    assert.deepEqual(linked('bridge', []), []);
  });

  it('needs something to run', () => {
    const empty = { ...image, config: { ...image.config, cmd: null, entrypoint: null } };
    assert.throws(() => planContainer(request(), empty), {
      kind: 'invalid',
      message: 'no command specified',
    });
  });
});
