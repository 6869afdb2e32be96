/**
 * Every request about networks that is refused: with Docker's status and text, and nothing left behind. Numbers in
 * the tests' names are those of the sections in which Docker's behaviour was written down.
 */
import { describe } from 'node:test';
import { RawApi, type Refusal, testRefusals } from './lab/raw-api.ts';
import { openStory } from './lab/story.ts';

const lab = await openStory();
const api = new RawApi(lab);

const nameOption = 'com.docker.network.bridge.name';
const subnet = (config: object, more: object = {}) => ({ ...more, IPAM: { Config: [config] } });

/** A network with a running and a stopped container, and what stands in the way of others. */
const shop = await api.createNetwork('shop', subnet({ Subnet: '10.61.0.0/24' }));
const other = await api.createNetwork('other', { Options: { [nameOption]: 'br-other' } });
await api.createNetwork('template', { ConfigOnly: true });
await api.createNetwork('user', { ConfigFrom: { Network: 'template' } });
const up = await api.run('up', 'shop');
const down = await api.createContainer('down', 'shop');
await api.createContainer('plain', 'bridge');
const hosty = await api.run('hosty', 'host');
const nony = await api.run('nony', 'none');
const joined = await api.run('joined', 'container:up');

/** A create request that is to be refused. */
const creating = (
  what: string,
  body: object,
  status: number,
  message: string | RegExp,
  version?: string,
): Refusal => ({
  what,
  path: '/networks/create',
  body: { Name: 'refused', ...body },
  status,
  message,
  ...(version ? { version } : {}),
});

/** A request to connect or disconnect that is to be refused. */
const moving = (
  what: string,
  path: string,
  body: object,
  status: number,
  message: string | RegExp,
): Refusal => ({ what, path: `/networks/${path}`, body, status, message });

describe('2: finding a network', () => {
  testRefusals(lab, '2', [
    {
      what: 'inspect a missing one',
      method: 'GET',
      path: '/networks/nope',
      status: 404,
      message: 'network nope not found',
    },
    {
      what: 'delete a missing one',
      method: 'DELETE',
      path: '/networks/nope',
      status: 404,
      message: 'network nope not found',
    },
  ]);
});

describe('2.1: inspect', () => {
  testRefusals(lab, '2.1', [
    {
      what: 'verbose=zz',
      method: 'GET',
      path: '/networks/shop?verbose=zz',
      status: 400,
      message: 'invalid value for verbose: zz: strconv.ParseBool: parsing "zz": invalid syntax',
    },
    {
      what: 'scope=swarm',
      method: 'GET',
      path: '/networks/shop?scope=swarm',
      status: 404,
      message: 'network shop not found',
    },
  ]);
});

describe('2.2: create', () => {
  const onlyBridge = (name: string) => `operation is not permitted on predefined ${name} network `;
  const overlaps = /^invalid pool request: Pool overlaps with other one on this address space/;
  const badConfig = (text: string) => `invalid network config:\n${text}`;
  const config = (what: string, entry: object, message: string | RegExp, more: object = {}) =>
    creating(what, subnet({ Subnet: '10.98.0.0/24', ...entry }, more), 400, message);
  const option = (key: string, value: string, status: number, message: string | RegExp, more: object = {}) =>
    creating(`${key}=${value}`, { Options: { [key]: value }, ...more }, status, message);
  const failed = (key: string, value: string, why: string) =>
    `failed to parse ${key} value: ${value} (${why})`;
  const bool = (key: string) =>
    option(key, 'x', 400, failed(key, 'x', 'strconv.ParseBool: parsing "x": invalid syntax'));
  const prefix = 'com.docker.network';
  const swarm =
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

  testRefusals(lab, '2.2', [
    ...['bridge', 'host', 'none', 'default'].map((Name) =>
      creating(`the name ${Name}`, { Name }, 403, onlyBridge(Name)),
    ),
    ...['', ' ', '\t\n'].map((Name) =>
      creating(`the name ${JSON.stringify(Name)}`, { Name }, 400, 'invalid name: name is empty'),
    ),
    { what: 'an empty body', path: '/networks/create', status: 400, message: 'invalid name: name is empty' },
    creating('no name before a bad driver', { Name: '', Driver: 'nope' }, 400, 'invalid name: name is empty'),
    creating(
      'a predefined name before a bad driver',
      { Name: 'host', Driver: 'nope' },
      403,
      onlyBridge('host'),
    ),
    creating('overlay', { Driver: 'overlay' }, 403, swarm),
    creating(
      'scope swarm',
      { Scope: 'swarm' },
      403,
      'cannot create a swarm scoped network when swarm is not active',
    ),
    creating('driver host', { Driver: 'host' }, 403, 'only one instance of "host" network is allowed'),
    creating('driver null', { Driver: 'null' }, 403, 'only one instance of "null" network is allowed'),
    creating('an unknown driver', { Driver: 'nope' }, 404, 'plugin "nope" not found'),
    creating('an unknown IPAM driver', { IPAM: { Driver: 'nope' } }, 404, 'plugin "nope" not found'),
    creating('a driver of later days', { Driver: 'macvlan' }, 501, /macvlan is not supported/),
    creating(
      'an unknown driver before a taken name',
      { Name: 'shop', Driver: 'nope' },
      404,
      'plugin "nope" not found',
    ),
    ...['1.24', '1.41', '1.44', '1.50'].map((version) =>
      creating(
        `a taken name, API ${version}`,
        { Name: 'shop' },
        409,
        'network with name shop already exists',
        version,
      ),
    ),
    ...['Internal', 'Attachable', 'Ingress'].map((field) =>
      creating(
        `a template with ${field}`,
        { ConfigOnly: true, [field]: true },
        403,
        'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
      ),
    ),
    creating(
      'a missing template',
      { ConfigFrom: { Network: 'nope' } },
      404,
      'configuration network "nope" does not exist',
    ),
    creating(
      'a template that is none',
      { ConfigFrom: { Network: 'shop' } },
      404,
      'configuration network "shop" does not exist',
    ),
    ...[subnet({ Subnet: '10.98.0.0/24' }), { Labels: { a: 'b' } }, { EnableIPv6: true }].map((own) =>
      creating(
        `a template and ${Object.keys(own)}`,
        { ConfigFrom: { Network: 'template' }, ...own },
        403,
        'user-specified configurations are not supported if the network depends on a configuration network',
      ),
    ),
    creating(
      'a template and options',
      { ConfigFrom: { Network: 'template' }, Options: { a: 'b' } },
      403,
      'network driver options are not supported if the network depends on a configuration network',
    ),
    creating(
      'both families off',
      { EnableIPv4: false, EnableIPv6: false },
      400,
      'IPv4 or IPv6 must be enabled',
    ),
    option(
      `${prefix}.driver.mtu`,
      'x',
      400,
      failed(`${prefix}.driver.mtu`, 'x', 'strconv.Atoi: parsing "x": invalid syntax'),
    ),
    option(`${prefix}.driver.mtu`, '-1', 400, 'invalid MTU number: -1'),
    bool(`${prefix}.bridge.enable_icc`),
    bool(`${prefix}.bridge.enable_ip_masquerade`),
    bool(`${prefix}.bridge.inhibit_ipv4`),
    option(
      `${prefix}.bridge.host_binding_ipv4`,
      'x',
      400,
      failed(`${prefix}.bridge.host_binding_ipv4`, 'x', 'nil ip'),
    ),
    ...['ipv4', 'ipv6'].map((family) => {
      const key = `${prefix}.bridge.gateway_mode_${family}`;
      return option(key, 'x', 400, failed(key, 'x', 'unknown gateway mode x'));
    }),
    ...['ipv4', 'ipv6'].map((family) => {
      const key = `${prefix}.enable_${family}`;
      return option(key, 'x', 400, new RegExp(`^driver-opt "${key}" is not a valid bool`));
    }),
    option(
      `${prefix}.bridge.gateway_mode_ipv4`,
      'isolated',
      400,
      "gateway mode 'isolated' can only be used for an internal network",
    ),
    ...[
      ['host_ipv4', 'eth0'],
      ['host_ipv4', '2001:db8::9'],
      ['host_ipv6', '198.51.100.9'],
    ].map(([name, value = '']) =>
      option(`${prefix}.${name}`, value, 400, failed(`${prefix}.${name}`, value, 'nil ip')),
    ),
    option(
      `${prefix}.host_ipv4`,
      '0.0.0.0',
      400,
      failed(`${prefix}.host_ipv4`, '0.0.0.0', 'no packet on a wire can come from there'),
    ),
    ...['a-name-too-long-', 'eth0 eth1', 'eth0:eth*'].map((value) =>
      option(
        `${prefix}.bridge.trusted_host_interfaces`,
        value,
        400,
        /^failed to parse com\.docker\.network\.bridge\.trusted_host_interfaces value: .* it should be 1 to 15 /,
      ),
    ),
    ...['docker0', 'br-other'].map((device) =>
      creating(
        `the bridge name ${device} of another network`,
        { Options: { [nameOption]: device } },
        403,
        new RegExp(
          `^cannot create network [0-9a-f]{64} \\(${device}\\): conflicts with network [0-9a-f]{64} \\(${device}\\): networks have same bridge name$`,
        ),
      ),
    ),
    creating(
      'the bridge name of a foreign device',
      { Options: { [nameOption]: 'eth0' } },
      409,
      /eth0 exists and was not made by/,
    ),
    creating('the bridge name lo', { Options: { [nameOption]: 'lo' } }, 409, /lo exists and was not made by/),
    ...['10.61.0.0/24', '10.61.0.128/25', '10.61.0.0/16', '172.17.3.0/24', '172.18.0.0/16'].map((Subnet) =>
      creating(`the overlapping subnet ${Subnet}`, subnet({ Subnet }), 403, overlaps),
    ),
    creating(
      'an overlap with an ip-range',
      subnet({ Subnet: '10.61.0.0/24', IPRange: '10.61.0.128/25' }),
      403,
      overlaps,
    ),
    creating(
      'two subnets of one family',
      { IPAM: { Config: [{ Subnet: '10.98.0.0/24' }, { Subnet: '10.99.0.0/24' }] } },
      403,
      "bridge driver doesn't support multiple subnets",
    ),
    // The checks of addresses.
    config(
      'host bits',
      { Subnet: '10.98.0.1/24' },
      badConfig('invalid subnet 10.98.0.1/24: it should be 10.98.0.0/24'),
    ),
    config(
      'a range of the other family',
      { IPRange: 'fd00::/80' },
      badConfig('invalid ip-range fd00::/80: parent subnet is an IPv4 block'),
    ),
    config(
      'a range that is too big',
      { IPRange: '10.98.0.0/16' },
      badConfig('invalid ip-range 10.98.0.0/16: CIDR block is bigger than its parent subnet 10.98.0.0/24'),
    ),
    config(
      'a range with host bits',
      { IPRange: '10.98.0.129/25' },
      badConfig('invalid ip-range 10.98.0.129/25: it should be 10.98.0.128/25'),
    ),
    config(
      'a range elsewhere',
      { IPRange: '10.97.0.0/25' },
      badConfig("invalid ip-range 10.97.0.0/25: parent subnet 10.98.0.0/24 doesn't contain ip-range"),
    ),
    config(
      'a gateway of the other family',
      { Gateway: 'fd00::1' },
      badConfig('invalid gateway fd00::1: parent subnet is an IPv4 block'),
    ),
    config(
      'a gateway elsewhere',
      { Gateway: '10.97.0.1' },
      badConfig("invalid gateway 10.97.0.1: parent subnet 10.98.0.0/24 doesn't contain this address"),
    ),
    config(
      'an auxiliary address of the other family',
      { AuxiliaryAddresses: { a: 'fd00::9' } },
      badConfig('invalid auxiliary address a: parent subnet is an IPv4 block'),
    ),
    config(
      'an auxiliary address elsewhere',
      { AuxiliaryAddresses: { a: '10.97.0.9' } },
      badConfig("invalid auxiliary address a: parent subnet 10.98.0.0/24 doesn't contain this address"),
    ),
    config(
      'another default gateway elsewhere',
      { AuxiliaryAddresses: { DefaultGatewayIPv4: '10.97.0.9' } },
      /default gateway ip must be part of the network/,
    ),
    config(
      'several mistakes',
      { IPRange: '10.98.0.129/25', Gateway: '10.97.0.1' },
      badConfig(
        "* invalid ip-range 10.98.0.129/25: it should be 10.98.0.128/25\n* invalid gateway 10.97.0.1: parent subnet 10.98.0.0/24 doesn't contain this address",
      ),
    ),
    creating('a subnet that is none', subnet({ Subnet: 'junk' }), 400, /^invalid JSON: .*junk/),
    creating(
      'a gateway that is none',
      subnet({ Subnet: '10.98.0.0/24', Gateway: 'junk' }),
      400,
      /^invalid JSON: .*junk/,
    ),
    creating(
      'a range that is none',
      subnet({ Subnet: '10.98.0.0/24', IPRange: 'junk' }),
      400,
      /^invalid JSON: .*junk/,
    ),
    creating(
      'a gateway that is the broadcast address',
      subnet({ Subnet: '10.98.0.0/24', Gateway: '10.98.0.255' }),
      403,
      /Address already in use$/,
    ),
    creating(
      'no room for a gateway',
      subnet({ Subnet: '10.98.0.0/32', AuxiliaryAddresses: { a: '10.98.0.0' } }),
      400,
      /no address left for a gateway/,
    ),
    // Section 1.
    {
      what: 'broken JSON',
      path: '/networks/create',
      body: '{"Name":',
      status: 400,
      message: /^invalid JSON: /,
    },
    {
      what: 'a name that is no text',
      path: '/networks/create',
      body: { Name: ['x'] },
      status: 400,
      message: /^invalid JSON: Name /,
    },
    {
      what: 'data after the object',
      path: '/networks/create',
      body: '{"Name":"x"} {}',
      status: 400,
      message: 'unexpected content after JSON',
    },
    {
      what: 'another content type',
      path: '/networks/create',
      body: '{"Name":"x"}',
      headers: { 'Content-Type': 'text/plain' },
      status: 400,
      message: "unsupported Content-Type header (text/plain): must be 'application/json'",
    },
  ]);
});

describe('2.3: connect', () => {
  const shared =
    'container sharing network namespace with another container or host cannot be connected to any other network';
  const multiple =
    'container cannot be connected to multiple networks with one of the networks in private (none) mode';
  const settings = (text: string) => `invalid endpoint settings:\n${text}`;
  const ip = (address: string) => ({ EndpointConfig: { IPAMConfig: { IPv4Address: address } } });
  const ip6 = (address: string) => ({ EndpointConfig: { IPAMConfig: { IPv6Address: address } } });
  const driver = (key: string, value: string) => ({
    EndpointConfig: { DriverOpts: { [`com.docker.network.endpoint.${key}`]: value } },
  });

  testRefusals(lab, '2.3', [
    moving('a missing container', 'other/connect', { Container: 'nope' }, 404, 'No such container: nope'),
    moving(
      'a missing container and network',
      'nope/connect',
      { Container: 'nope' },
      404,
      'No such container: nope',
    ),
    moving(
      'an empty container name',
      'other/connect',
      { Container: '' },
      400,
      'invalid name or ID supplied: ""',
    ),
    moving('no container name', 'other/connect', {}, 400, 'invalid name or ID supplied: ""'),
    {
      what: 'no body',
      path: '/networks/other/connect',
      status: 400,
      message: 'invalid name or ID supplied: ""',
    },
    moving('a missing network, running', 'nope/connect', { Container: 'up' }, 404, 'network nope not found'),
    moving(
      'connected already',
      'shop/connect',
      { Container: 'up' },
      403,
      'endpoint with name up already exists in network shop',
    ),
    moving(
      'connected already, by id and prefix',
      `${shop.slice(0, 12)}/connect`,
      { Container: up.slice(0, 12) },
      403,
      'endpoint with name up already exists in network shop',
    ),
    moving('container mode', 'other/connect', { Container: 'joined' }, 400, shared),
    moving('host mode', 'other/connect', { Container: 'hosty' }, 400, shared),
    moving('host mode to none', 'none/connect', { Container: 'hosty' }, 400, shared),
    moving(
      'the network host',
      'host/connect',
      { Container: 'up' },
      400,
      'cannot connect container to host network - container must be created in host network mode',
    ),
    moving(
      'the network host, stopped',
      'host/connect',
      { Container: 'down' },
      400,
      /^cannot connect container to host network/,
    ),
    moving('from none', 'other/connect', { Container: 'nony' }, 400, multiple),
    moving('to none', 'none/connect', { Container: 'up' }, 400, multiple),
    moving('to none, stopped', 'none/connect', { Container: 'down' }, 400, multiple),
    moving(
      'an alias on bridge',
      'bridge/connect',
      { Container: 'up', EndpointConfig: { Aliases: ['a'] } },
      400,
      settings('network-scoped aliases are only supported for user-defined networks'),
    ),
    moving(
      'an alias on default',
      'default/connect',
      { Container: 'up', EndpointConfig: { Aliases: ['a'] } },
      400,
      settings('network-scoped aliases are only supported for user-defined networks'),
    ),
    moving(
      'an address on bridge',
      'bridge/connect',
      { Container: 'up', ...ip('172.17.0.9') },
      400,
      settings('user-specified IP address is supported on user-defined networks only'),
    ),
    moving(
      'an address on bridge, stopped',
      'bridge/connect',
      { Container: 'down', ...ip('172.17.0.9') },
      400,
      settings('user-specified IP address is supported on user-defined networks only'),
    ),
    moving(
      'an address outside',
      'other/connect',
      { Container: 'up', ...ip('10.61.0.9') },
      400,
      'no configured subnet contains IP address 10.61.0.9',
    ),
    moving(
      'an IPv6 address without IPv6',
      'other/connect',
      { Container: 'up', ...ip6('fd00::9') },
      400,
      'no configured subnet contains IP address fd00::9',
    ),
    moving(
      'the gateway',
      'other/connect',
      { Container: 'up', ...ip('172.18.0.1') },
      403,
      'Address already in use',
    ),
    moving(
      'the broadcast address',
      'other/connect',
      { Container: 'up', ...ip('172.18.255.255') },
      403,
      'Address already in use',
    ),
    moving(
      'the network address',
      'other/connect',
      { Container: 'up', ...ip('172.18.0.0') },
      403,
      'Address already in use',
    ),
    moving(
      'a malformed address',
      'other/connect',
      { Container: 'up', ...ip('10.300.1.1') },
      400,
      settings('invalid IPv4 address: 10.300.1.1'),
    ),
    moving(
      'an address of the other family',
      'other/connect',
      { Container: 'up', ...ip('fd00::9') },
      400,
      settings('invalid IPv4 address: fd00::9'),
    ),
    moving(
      'a malformed IPv6 address',
      'other/connect',
      { Container: 'up', ...ip6('fd00::zz') },
      400,
      settings('invalid IPv6 address: fd00::zz'),
    ),
    moving(
      'both malformed',
      'other/connect',
      { Container: 'up', EndpointConfig: { IPAMConfig: { IPv4Address: 'a', IPv6Address: 'b' } } },
      400,
      settings('* invalid IPv4 address: a\n* invalid IPv6 address: b'),
    ),
    moving(
      'a template',
      'template/connect',
      { Container: 'up' },
      403,
      'cannot create endpoint on configuration-only network',
    ),
    moving(
      'a bad interface sysctl',
      'other/connect',
      { Container: 'up', ...driver('sysctls', 'net.ipv4.conf.eth0.log_martians=1') },
      400,
      settings(
        "unrecognised network interface sysctl 'net.ipv4.conf.eth0.log_martians=1'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'",
      ),
    ),
    moving(
      'an interface sysctl that the kernel does not know',
      'other/connect',
      { Container: 'up', ...driver('sysctls', 'net.ipv4.conf.IFNAME.nope=1') },
      500,
      /nope/,
    ),
    moving(
      'an interface name that is none',
      'other/connect',
      { Container: 'up', ...driver('ifname', 'a/b') },
      400,
      /a\/b/,
    ),
    moving(
      'an interface name that is taken',
      'other/connect',
      { Container: 'up', ...driver('ifname', 'eth0') },
      403,
      /eth0/,
    ),
    moving(
      'a link that is none',
      'other/connect',
      { Container: 'up', EndpointConfig: { Links: ['a:b:c'] } },
      400,
      /a:b:c/,
    ),
    moving(
      'a link-local address',
      'other/connect',
      { Container: 'up', EndpointConfig: { IPAMConfig: { LinkLocalIPs: ['169.254.1.1'] } } },
      501,
      /LinkLocalIPs/,
    ),
    moving('what is no text', 'other/connect', { Container: 7 }, 400, /^invalid JSON: Container /),
  ]);
});

describe('2.4: disconnect', () => {
  const notOn = (id: string, network: string) => `container ${id} is not connected to network ${network}`;
  const notOnThe = (id: string, network: string) =>
    `container ${id} is not connected to the network ${network}`;

  testRefusals(lab, '2.4', [
    moving('a missing container', 'shop/disconnect', { Container: 'nope' }, 404, 'No such container: nope'),
    moving(
      'a missing container, forced',
      'shop/disconnect',
      { Container: 'nope', Force: true },
      404,
      'endpoint nope not found',
    ),
    moving(
      'a missing container and network, forced',
      'nope/disconnect',
      { Container: 'nope', Force: true },
      404,
      'network nope not found',
    ),
    moving('no container name', 'shop/disconnect', {}, 400, 'invalid name or ID supplied: ""'),
    moving('not connected, running', 'other/disconnect', { Container: 'up' }, 500, notOn(up, 'other')),
    moving(
      'not connected, running, by prefix',
      `${other.slice(0, 8)}/disconnect`,
      { Container: 'up' },
      500,
      notOn(up, 'other'),
    ),
    moving(
      'not connected, running, forced',
      'other/disconnect',
      { Container: 'up', Force: true },
      500,
      notOn(up, 'other'),
    ),
    moving('not connected, stopped', 'other/disconnect', { Container: 'down' }, 500, notOnThe(down, 'other')),
    moving(
      'not connected, stopped, forced',
      'other/disconnect',
      { Container: 'down', Force: true },
      500,
      notOnThe(down, 'other'),
    ),
    moving(
      'a missing network, stopped',
      'nope/disconnect',
      { Container: 'down' },
      500,
      notOnThe(down, 'nope'),
    ),
    moving(
      'a missing network, running',
      'nope/disconnect',
      { Container: 'up' },
      404,
      'network nope not found',
    ),
    moving(
      'a missing network, running, forced',
      'nope/disconnect',
      { Container: 'up', Force: true },
      500,
      notOnThe(up, 'nope'),
    ),
    moving(
      'host mode from host',
      'host/disconnect',
      { Container: 'hosty' },
      400,
      'cannot disconnect container from host network - container was created in host network mode',
    ),
    moving(
      'host mode from elsewhere',
      'other/disconnect',
      { Container: 'hosty' },
      500,
      notOn(hosty, 'other'),
    ),
    moving('container mode', 'shop/disconnect', { Container: 'joined' }, 500, notOn(joined, 'shop')),
    moving('none from elsewhere', 'other/disconnect', { Container: 'nony' }, 500, notOn(nony, 'other')),
    moving('a running one from host', 'host/disconnect', { Container: 'up' }, 500, notOn(up, 'host')),
  ]);
});

describe('2.5: delete', () => {
  testRefusals(lab, '2.5', [
    ...['bridge', 'host', 'none', 'default'].map((name): Refusal => {
      const shown = name === 'default' ? 'bridge' : name;
      const message = `${shown} is a pre-defined network and cannot be removed`;
      return { what: name, method: 'DELETE', path: `/networks/${name}`, status: 403, message };
    }),
    {
      what: 'in use',
      method: 'DELETE',
      path: '/networks/shop',
      status: 403,
      message: `error while removing network: network shop has active endpoints (name:"up" id:"${up.slice(0, 12)}")`,
    },
    {
      what: 'a template in use',
      method: 'DELETE',
      path: '/networks/template',
      status: 403,
      message: 'error while removing network: configuration network "template" is in use',
    },
  ]);
});

describe('2.6: filters', () => {
  const filtered = (method: string, path: string, filters: string, message: string): Refusal => ({
    what: `${path} ${filters}`,
    method,
    path: `${path}?filters=${encodeURIComponent(filters)}`,
    status: 400,
    message,
  });
  testRefusals(lab, '2.6', [
    filtered('GET', '/networks', '{', 'invalid filter'),
    filtered('GET', '/networks', '[]', 'invalid filter'),
    filtered('GET', '/networks', '{"junk":["x"]}', "invalid filter 'junk'"),
    filtered('GET', '/networks', '{"type":["x"]}', "invalid filter: 'type'='x'"),
    filtered(
      'GET',
      '/networks',
      '{"dangling":["x"]}',
      `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`,
    ),
    filtered(
      'GET',
      '/networks',
      '{"dangling":["true","1"]}',
      'got more than one value for filter key "dangling"',
    ),
    filtered('POST', '/networks/prune', '{', 'invalid filter'),
    filtered('POST', '/networks/prune', '{"name":["x"]}', "invalid filter 'name'"),
    filtered('POST', '/networks/prune', '{"until":["1h","2h"]}', 'more than one until filter specified'),
  ]);
});
