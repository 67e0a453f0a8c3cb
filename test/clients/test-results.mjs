// Reporter for `node --test-reporter`: a line of JSON for each test that starts, passes or fails. Suites count only
// when they fail by themselves, in a hook, say. Read by own-suites.mjs.

export default async function* testResults(events) {
  for await (const { type, data } of events) {
    const line = resultOf(type, data);
    if (line !== undefined) yield `${JSON.stringify(line)}\n`;
  }
}

function resultOf(type, { name, skip, details }) {
  switch (type) {
    case 'test:dequeue':
      return { event: 'start', name };
    case 'test:pass':
      return { event: details.type === 'suite' || skip !== undefined ? 'end' : 'pass', name };
    case 'test:fail':
      if (details.error?.failureType === 'subtestsFailed') return { event: 'end', name };
      return { event: 'fail', name, reason: String(details.error?.cause?.message ?? details.error?.message) };
    default:
      return undefined;
  }
}
