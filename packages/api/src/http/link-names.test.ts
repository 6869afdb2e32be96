import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { foldContainerName } from './link-names.ts';

describe("a container's name in a path", () => {
  const paths: [method: string, url: string, folded: string][] = [
    ['GET', '/containers/json?all=1', '/containers/json?all=1'],
    ['POST', '/containers/create?name=/web', '/containers/create?name=/web'],
    ['GET', '/containers/web/json', '/containers/web/json'],
    ['GET', '/containers//web/json', '/containers/%2Fweb/json'],
    ['GET', '/containers/web/db/json?size=1', '/containers/web%2Fdb/json?size=1'],
    ['GET', '/containers//web/db/json', '/containers/%2Fweb%2Fdb/json'],
    ['POST', '/containers/web/db/exec', '/containers/web%2Fdb/exec'],
    ['DELETE', '/containers/web', '/containers/web'],
    ['DELETE', '/containers/web/db?link=1', '/containers/web%2Fdb?link=1'],
    ['GET', '/containers/web/attach/ws', '/containers/web/attach/ws'],
    ['GET', '/containers/web/a/b/c', '/containers/web/a/b/c'],
    ['GET', '/images/a/b/json', '/images/a/b/json'],
  ];
  for (const [method, url, folded] of paths) {
    it(`${method} ${url}`, () => assert.equal(foldContainerName(method, url), folded));
  }
});
