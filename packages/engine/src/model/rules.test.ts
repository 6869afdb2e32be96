import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EndpointId } from '../base/ids.ts';
import type { EndpointSettings } from './container.ts';
import {
  type CreateOptions,
  checkContainerName,
  checkEndpointSettings,
  findConflict,
  parseExtraHost,
} from './create-rules.ts';
import { defaultBridgeSubnet, hostInterfaceName, isInterfaceName, macAddressFor } from './network.ts';
import { formatNetworkMode, parseNetworkMode } from './network-mode.ts';

describe('network modes', () => {
  it('read as they are written, with bridge as the default', () => {
    assert.deepEqual(parseNetworkMode(''), { kind: 'network', network: 'bridge' });
    assert.deepEqual(parseNetworkMode('default'), { kind: 'network', network: 'bridge' });
    for (const text of ['bridge', 'host', 'none', 'shop', 'container:web']) {
      assert.equal(formatNetworkMode(parseNetworkMode(text)), text);
    }
  });

  it('need a container to join', () => {
    for (const text of ['container', 'container:']) {
      assert.throws(() => parseNetworkMode(text), {
        kind: 'invalid',
        message: 'invalid network mode: invalid container format container:<name|id>',
      });
    }
  });
});

describe('conflicting options', () => {
  const plain: CreateOptions = {
    networkMode: { kind: 'network', network: 'bridge' },
    hostname: '',
    utsMode: 'private',
    links: [],
    dns: [],
    extraHosts: [],
    publishesPorts: false,
    exposedPorts: [],
    macAddress: '',
  };
  const joined = { ...plain, networkMode: { kind: 'container', container: 'x' } } as const;

  it('are found, one row of the contract each', () => {
    const rows: [CreateOptions, string][] = [
      [{ ...joined, hostname: 'h' }, 'conflicting options: hostname and the network mode'],
      [{ ...plain, utsMode: 'host', hostname: 'h' }, 'conflicting options: hostname and the UTS mode'],
      [
        { ...joined, links: ['a:b'] },
        "conflicting options: container type network can't be used with links. This would result in undefined behavior",
      ],
      [
        { ...plain, networkMode: { kind: 'host' }, links: ['a:b'] },
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      ],
      [{ ...joined, dns: ['192.0.2.1'] }, 'conflicting options: dns and the network mode'],
      [
        { ...joined, extraHosts: ['a:192.0.2.1'] },
        'conflicting options: custom host-to-IP mapping and the network mode',
      ],
      [
        { ...joined, publishesPorts: true },
        'conflicting options: port publishing and the container type network mode',
      ],
      [
        { ...joined, exposedPorts: ['80/tcp'] },
        'conflicting options: port exposing and the container type network mode',
      ],
      [
        { ...plain, networkMode: { kind: 'none' }, macAddress: '02:00:00:00:00:01' },
        'conflicting options: mac-address and the network mode',
      ],
    ];
    for (const [options, message] of rows) {
      assert.equal(findConflict(options)?.message, message);
    }
  });

  it('leave what belongs together alone', () => {
    assert.equal(findConflict(plain), undefined);
    assert.equal(
      findConflict({
        ...plain,
        networkMode: { kind: 'host' },
        hostname: 'h',
        dns: ['192.0.2.1'],
        extraHosts: ['a:::1'],
      }),
      undefined,
    );
  });
});

describe('names and addresses from users', () => {
  it('are refused with the value in the message', () => {
    for (const name of ['', 'a', '-a', 'kt!bad', 'a b', 'ä1', '../x']) {
      assert.throws(() => checkContainerName(name), {
        kind: 'invalid',
        message: `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
      });
    }
    checkContainerName('web.1_a-B');
  });

  it('hold for --add-host', () => {
    assert.deepEqual(parseExtraHost('db:fd00::1'), { name: 'db', address: 'fd00::1' });
    assert.deepEqual(parseExtraHost('host.docker.internal:host-gateway').address, 'host-gateway');
    assert.throws(() => parseExtraHost('a'), { message: 'bad format for add-host: "a"' });
    assert.throws(() => parseExtraHost('a:'), { message: 'bad format for add-host: "a:"' });
    assert.throws(() => parseExtraHost('a:junk'), { message: 'invalid IP address in add-host: "junk"' });
  });

  it('hold for endpoint settings, all problems at once', () => {
    const settings: EndpointSettings = { aliases: [], links: [], driverOptions: {}, gatewayPriority: 0 };
    checkEndpointSettings('bridge', settings, 'create');
    assert.throws(
      () =>
        checkEndpointSettings('bridge', { ...settings, aliases: ['a'], ipv4Address: '172.17.0.9' }, 'create'),
      {
        message:
          'invalid config for network bridge: invalid endpoint settings:\n' +
          '* network-scoped aliases are only supported for user-defined networks\n' +
          '* user-specified IP address is supported on user-defined networks only',
      },
    );
    assert.throws(
      () => checkEndpointSettings('shop', { ...settings, ipv4Address: 'fd00::1' }, 'connect'),
      /invalid IPv4 address: fd00::1/,
    );
    assert.throws(
      () => checkEndpointSettings('shop', { ...settings, macAddress: '02:00' }, 'connect'),
      /invalid MAC address: 02:00/,
    );
    assert.throws(
      () => checkEndpointSettings('shop', { ...settings, links: ['a:b', 'a:b:c', ':'] }, 'connect'),
      {
        message: 'invalid endpoint settings:\n* bad format for links: a:b:c\n* bad format for links: :',
      },
    );
  });
});

describe('interfaces', () => {
  it('get names that the kernel takes', () => {
    const id = 'abcdef0123456789' as EndpointId;
    assert.equal(hostInterfaceName(id), 'vethabcdef0');
    assert.equal(hostInterfaceName(id, 1), 'vethbcdef01');
    assert.ok(
      isInterfaceName('docker0') &&
        !isInterfaceName('') &&
        !isInterfaceName('a/b') &&
        !isInterfaceName('x'.repeat(16)),
    );
  });

  it('get a MAC address from their IPv4 address', () => {
    assert.equal(macAddressFor('172.17.0.2'), '02:42:ac:11:00:02');
  });
});

describe('the default bridge', () => {
  const automatic = () => ({ subnet: '172.17.0.0/16', gateway: '172.17.0.1' });

  it('takes its subnet from the flags or from the pools', () => {
    assert.deepEqual(defaultBridgeSubnet({}, automatic), automatic());
    assert.deepEqual(
      defaultBridgeSubnet(
        { bip: '10.9.0.5/24', fixedCidr: '10.9.0.128/25', defaultGateway: '10.9.0.9' },
        automatic,
      ),
      {
        subnet: '10.9.0.0/24',
        gateway: '10.9.0.5',
        range: '10.9.0.128/25',
        auxiliary: { DefaultGatewayIPv4: '10.9.0.9' },
      },
    );
  });

  it('refuses flags that do not fit, naming them', () => {
    for (const bip of ['junk', '10.0.0.0/24', '10.0.0.1', '10.0.0.1/31', 'fd00::1/64']) {
      assert.throws(
        () => defaultBridgeSubnet({ bip }, automatic),
        (e: Error) => e.message.startsWith(`--bip ${bip}: `),
      );
    }
    assert.throws(
      () => defaultBridgeSubnet({ fixedCidr: '10.0.0.0/8' }, automatic),
      /--fixed-cidr 10.0.0.0\/8/,
    );
    assert.throws(
      () => defaultBridgeSubnet({ defaultGateway: '10.0.0.1' }, automatic),
      /--default-gateway 10.0.0.1/,
    );
  });
});
