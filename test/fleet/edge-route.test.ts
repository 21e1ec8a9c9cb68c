import { describe, expect, test } from '@jest/globals';
import { readRoute } from '../../src/fleet/edge/route.ts';

const problemOf = (route: string) => {
  const read = readRoute(route);
  return read.ok ? undefined : read.problem;
};

describe('routes that edgeHub accepts', () => {
  test.each([
    'FROM /messages/* INTO $upstream',
    'from /* into $UPSTREAM',
    'SELECT * FROM /messages/* INTO $upstream',
    'FROM /messages INTO $upstream',
    'FROM /twinChangeNotifications INTO $upstream',
    'FROM /messages/modules/* INTO $upstream',
    'FROM /messages/modules/tempSensor/* INTO $upstream',
    'FROM /messages/modules/tempSensor/outputs/* INTO $upstream',
    'FROM /messages/modules/temp-sensor_2/outputs/temperatureOutput INTO BrokeredEndpoint("/modules/filter/inputs/in")',
    "FROM /messages/* INTO brokeredendpoint('/modules/filter/inputs/in/')",
    "FROM /messages/* WHERE alert = 'yes' INTO $upstream",
    "FROM /messages/* WHERE alert <> 'yes' AND NOT (level = 'low') INTO $upstream",
    'FROM /messages/* WHERE as_number(temperature) > 30.5 INTO $upstream',
    'FROM /messages/* WHERE $body.machine.temperature >= 30 INTO $upstream',
    'FROM /messages/* WHERE $body.readings[0].value != -1 OR $body.ok = true INTO $upstream',
    'FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) INTO $upstream',
    "FROM /messages/* WHERE {$contentType} = 'application/json' INTO $upstream",
    "FROM /messages/* WHERE starts_with(lower(site), 'ams') INTO $upstream",
    'FROM /messages/* WHERE (as_number(a) + 2) * 3 = 0x1F INTO $upstream',
    "FROM /messages/* WHERE a || b = 'ab' INTO $upstream",
    'FROM /messages/* WHERE true INTO $upstream',
    'FROM /messages/* WHERE x = null INTO $upstream',
    'FROM /messages/*\n  WHERE $body.x > 1\n  INTO $upstream',
    "FROM /messages/* WHERE text = 'it\\'s' INTO $upstream",
  ])('%s', (route) => {
    expect(problemOf(route)).toBeUndefined();
  });
});

describe('routes that edgeHub refuses, or that never match', () => {
  test.each([
    ['', 'is empty'],
    ['   ', 'is empty'],
    ['/messages/* INTO $upstream', 'has no FROM'],
    ['FROM /messages/*', 'has no INTO after the source'],
    ['FROM /messages/* INTO', 'has no sink'],
    ['FROM INTO $upstream', 'has no source'],
    ['FROM messages INTO $upstream', 'has no source'],
    ['FROM / INTO $upstream', 'as a part of a source'],
    ['FROM /telemetry/* INTO $upstream', 'has the unknown source /telemetry/*, which never matches'],
    ['FROM /messages/devices/* INTO $upstream', 'has the unknown source'],
    ['FROM /messages/modules/*/outputs/* INTO $upstream', '"*" is allowed only at the end'],
    ['FROM /messages/modules/1/* INTO $upstream', 'has "1", which edgeHub cannot read as a part of a source'],
    ['FROM /messages/modules/not/* INTO $upstream', 'has "not", which edgeHub cannot read'],
    ['FROM /messages/* INTO $cloud', 'has "$cloud", which is no sink'],
    ['FROM /messages/* INTO upstream', 'has "upstream", which is no sink'],
    ['FROM /messages/* INTO $upstream now', 'has "now", which follows the sink'],
    ['FROM /messages/* INTO BrokeredEndpoint(/modules/a/inputs/b)', 'is not the quoted path'],
    ['FROM /messages/* INTO BrokeredEndpoint("/modules/a/inputs/b"', 'has no ")" after the path'],
    ['FROM /messages/* INTO BrokeredEndpoint("/modules/a/inputs")', 'is not the path of an input'],
    ['FROM /messages/* INTO BrokeredEndpoint("/modules/a/inputs/b/c")', 'is not the path of an input'],
    ['FROM /messages/* INTO BrokeredEndpoint("/modules//inputs/b")', 'is not the path of an input'],
    ['FROM /messages/* INTO BrokeredEndpoint("/module/a/input/b")', 'is not the path of an input'],
    ['FROM /messages/* INTO ModuleEndpoint("/modules/a/inputs/b")', 'is no sink'],
    ["FROM /messages/* WHERE a == 'b' INTO $upstream", 'has "==": write one "="'],
    ['FROM /messages/* WHERE INTO $upstream', 'where a value is expected'],
    ["FROM /messages/* WHERE a = 'b INTO $upstream", "has a text without its closing '"],
    ["FROM /messages/* WHERE (a = 'b' INTO $upstream", 'has a "(" without its ")"'],
    ["FROM /messages/* WHERE a = 'b') INTO $upstream", 'has no INTO'],
    ["FROM /messages/* WHERE a = 'b' && c = 'd' INTO $upstream", 'has no INTO'],
    ['FROM /messages/* WHERE temperature > 30 INTO $upstream', 'write as_number(…) around the property'],
    ["FROM /messages/* WHERE NOT a = 'b' INTO $upstream", 'NOT applies to a text'],
    ['FROM /messages/* WHERE temperature INTO $upstream', 'is a text, and not a condition'],
    ['FROM /messages/* WHERE a AND b INTO $upstream', 'both sides must be conditions'],
    ['FROM /messages/* WHERE as_int(a) > 3 INTO $upstream', 'calls as_int, which edgeHub does not know'],
    ['FROM /messages/* WHERE is_define(a) INTO $upstream', 'did you mean is_defined?'],
    ['FROM /messages/* WHERE contains(a) INTO $upstream', 'calls contains with 1 values: it takes 2'],
    ["FROM /messages/* WHERE $twin.tags.site = 'ams' INTO $upstream", 'routes of edgeHub cannot read twins'],
    ['FROM /messages/* WHERE $body.a[x] = 1 INTO $upstream', 'write a path such as $body'],
    ['FROM /messages/* WHERE $body. = 1 INTO $upstream', 'write a path such as $body'],
  ])('%s', (route, problem) => {
    expect(problemOf(route)).toContain(problem);
  });

  test('a problem names the column of the route', () => {
    expect(problemOf("FROM /messages/* WHERE a == 'b' INTO $upstream")).toContain('(column 26)');
  });

  test('a deeply nested condition is a problem, not a crash', () => {
    const deep = `${'('.repeat(1_500)}a = 'b'${')'.repeat(1_500)}`;

    expect(problemOf(`FROM /messages/* WHERE ${deep} INTO $upstream`)).toContain('too many levels');
  });
});

describe('routes with another effect than they seem to have', () => {
  test('a wildcard inside a name takes only the name before it', () => {
    expect(readRoute('FROM /messages/modules/m/outputs/temp* INTO $upstream')).toMatchObject({
      ok: true,
      sourceModule: 'm',
      warnings: [expect.stringContaining('takes only temp')],
    });
  });
});
