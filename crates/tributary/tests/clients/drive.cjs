// Drives a worker with the client library for Node, every call that it has at least once.
//
//     node drive.cjs MODULES HOST PORT CONFIG.json TOPIC
//
// MODULES is where the library was installed.
//
// Ends with 0, or says which call went wrong.

const { readFileSync } = require('node:fs');

const [modules, host, port, file, topic] = process.argv.slice(2);
const { KafkaConnectClient } = require(require.resolve('kafka-connect-client', { paths: [modules] }));
const config = JSON.parse(readFileSync(file, 'utf8'));
const client = new KafkaConnectClient({ protocol: 'http', host, port: Number(port) });
const patience = 60_000;

function check(what, truth, shown) {
  if (!truth) throw new Error(`${what}: ${JSON.stringify(shown)}`);
  console.log(`ok: ${what}`);
}

// The answer's status is part of the contract.
async function answers(what, status, asked) {
  const answer = await asked.catch((error) => error.response ?? Promise.reject(error));
  check(`${what} (${status})`, answer.status === status, { status: answer.status, data: answer.data });
  return answer.data;
}

async function becomes(what, look) {
  const end = Date.now() + patience;
  while (!(await look())) {
    check(what, Date.now() < end, 'it did not become so');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function main() {
  const name = 'n1';
  const one = client.connector(name);
  const state = async () => (await one.getStatus()).data;
  const runs = () => becomes('it runs', async () => {
    const { tasks } = await state();
    return tasks.length > 0 && tasks.every((task) => task.state === 'RUNNING');
  });
  const root = await answers('cluster', 200, client.getCluster());
  check('version', root.version.startsWith('3.'), root);
  const plugins = await answers('plugins', 200, client.getConnectorPlugins({ connectorsOnly: false }));
  check('converters too', plugins.some((plugin) => plugin.type === 'converter'), plugins);
  const judged = await answers('validate', 200, client.validateConnectorConfig(config['connector.class'], config));
  check('its only error is the missing name', judged.error_count === 1, judged.error_count);
  await answers('create', 201, client.createConnector(name, config));
  await answers('create again', 409, client.createConnector(name, config));
  await runs();
  check('list', (await answers('list', 200, client.getConnectors())).includes(name));
  const brackets = await answers('list, expanded with brackets', 200, client.getConnectors({ expand: ['status'] }));
  check('it is the list of names', Array.isArray(brackets), brackets);
  await answers('put', 200, one.create(config));
  check('get', (await answers('get', 200, one.get())).name === name);
  check('config', (await answers('config', 200, one.getConfig())).name === name);
  check('tasks', (await answers('tasks', 200, one.getTasks()))[0].id.connector === name);
  check('task status', (await answers('task status', 200, one.getTaskStatus(0))).id === 0);
  // It takes what it gets for an object before it is one; the answer itself is right.
  await one.getTopics().then(() => check('topics fail on their own', false), () => check('topics fail on their own', true));
  await answers('reset topics', 202, one.resetTopics());
  await answers('restart', 204, one.restart());
  await runs();
  await answers('restart, its flags in the body', 204, one.restart({ includeTasks: true }));
  await runs();
  await answers('restart task', 204, one.restartTask(0));
  await runs();
  await answers('pause', 202, one.pause());
  await becomes('it is paused', async () => (await state()).connector.state === 'PAUSED');
  await answers('resume', 202, one.resume());
  await runs();
  await answers('offsets', 200, one.getOffsets());
  const partition = { cluster: config['source.cluster.alias'], partition: 0, topic };
  await answers('alter offsets of one that runs', 400, one.alterOffsets([{ partition, offset: { offset: 1 } }]));
  await answers('stop', 204, one.stop());
  await becomes('it is stopped', async () => (await state()).connector.state === 'STOPPED');
  await answers('task status of a stopped one', 404, one.getTaskStatus(0));
  const altered = await answers('alter offsets', 200, one.alterOffsets([{ partition, offset: { offset: 1 } }]));
  check('it says so', typeof altered.message === 'string', altered);
  const { offsets } = await answers('offsets', 200, one.getOffsets());
  check('they are altered', offsets.some((entry) => entry.offset?.offset === 1), offsets);
  await answers('reset offsets', 200, one.resetOffsets());
  await answers('delete', 204, one.delete());
  await answers('get what is gone', 404, one.get());
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
