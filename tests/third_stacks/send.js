// node send.js PORT CALLING FILE...: stores the files over one association; its log tells each status.
const { Client } = require('dcmjs-dimse');
const { CStoreRequest } = require('dcmjs-dimse').requests;

const [port, calling, ...files] = process.argv.slice(2);
const client = new Client();
for (const file of files) {
  client.addRequest(new CStoreRequest(file));
}
for (const trouble of ['networkError', 'associationRejected']) {
  client.on(trouble, (error) => {
    console.error(trouble, error);
    process.exit(1);
  });
}
client.send('127.0.0.1', Number(port), calling, 'ECHONODE');
