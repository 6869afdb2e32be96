import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatHostsFile,
  formatResolvConf,
  overrideResolver,
  ownNames,
  parseResolvConf,
  reachableResolver,
} from './network-files.ts';

describe('/etc/hosts', () => {
  it('has the loopback names, the extra hosts, then the own addresses', () => {
    const file = formatHostsFile({
      ipv6: true,
      extraHosts: [{ address: '192.0.2.7', names: ['db'] }],
      own: [{ address: '172.17.0.2', names: ownNames('web', '') }],
    });
    assert.equal(
      file,
      '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n' +
        'ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n192.0.2.7\tdb\n172.17.0.2\tweb\n',
    );
  });

  it('tells nothing of IPv6 where there is none', () => {
    assert.equal(formatHostsFile({ ipv6: false, extraHosts: [], own: [] }), '127.0.0.1\tlocalhost\n');
  });

  it('names a container with a domain by its full name first', () => {
    assert.deepEqual(ownNames('h1', 'd.org'), ['h1.d.org', 'h1']);
    assert.deepEqual(ownNames('h1.d.org', ''), ['h1.d.org', 'h1']);
    assert.deepEqual(ownNames('h1', ''), ['h1']);
  });
});

describe('/etc/resolv.conf', () => {
  const host = parseResolvConf(
    '# made by hand\ndomain old.example\nnameserver 127.0.0.53\nnameserver 192.0.2.53 ; fast\nnameserver fd00::53\n' +
      'search a.example b.example\noptions edns0\noptions ndots:2\nsortlist 10.0.0.0\n\n',
  );

  it('keeps the last search line, all options and unknown directives', () => {
    assert.deepEqual(host, {
      nameservers: ['127.0.0.53', '192.0.2.53', 'fd00::53'],
      search: ['a.example', 'b.example'],
      options: ['edns0', 'ndots:2'],
      others: ['sortlist 10.0.0.0'],
    });
  });

  it('drops servers that a container cannot reach', () => {
    assert.equal(
      formatResolvConf(reachableResolver(host, false)),
      'nameserver 192.0.2.53\nsearch a.example b.example\noptions edns0 ndots:2\nsortlist 10.0.0.0\n',
    );
    assert.deepEqual(reachableResolver(host, true).nameservers, ['192.0.2.53', 'fd00::53']);
  });

  it('falls back to public servers when none is left', () => {
    const local = parseResolvConf('nameserver 127.0.0.1\nnameserver ::1\n');
    assert.deepEqual(reachableResolver(local, false).nameservers, ['8.8.8.8', '8.8.4.4']);
    assert.equal(reachableResolver(local, true).nameservers.length, 4);
  });

  it('replaces each list that is given as a whole', () => {
    const changed = overrideResolver(host, {
      dns: ['198.51.100.9'],
      dnsSearch: ['.'],
      dnsOptions: ['ndots:5'],
    });
    assert.equal(formatResolvConf(changed), 'nameserver 198.51.100.9\noptions ndots:5\nsortlist 10.0.0.0\n');
    assert.deepEqual(overrideResolver(host, { dns: [], dnsSearch: [], dnsOptions: [] }), host);
  });
});
