export default { test: { globalSetup: "recollect-test/vitest", testTimeout: 60_000 } };
