// node announce.js PORT CALLING UID REQUESTS: N-CREATE and N-SET of one instance, each on an
// association of its own; REQUESTS is JSON [{create | set: dataset, sopClass}]; prints the statuses.
const { Client, Dataset } = require('dcmjs-dimse');
const { NCreateRequest, NSetRequest } = require('dcmjs-dimse').requests;

const [port, calling, uid, requests] = process.argv.slice(2);
const statuses = [];

function next(rest) {
  if (!rest.length) {
    console.log(JSON.stringify(statuses));
    return;
  }
  const [{ create, set, sopClass }, ...others] = rest;
  const request = create ? new NCreateRequest(sopClass, uid) : new NSetRequest(sopClass, uid);
  request.setDataset(new Dataset(create || set));
  request.on('response', (response) => statuses.push(response.getStatus()));
  const client = new Client();
  client.addRequest(request);
  client.on('closed', () => next(others));
  for (const trouble of ['networkError', 'associationRejected']) {
    client.on(trouble, (error) => {
      console.error(trouble, error);
      process.exit(1);
    });
  }
  client.send('127.0.0.1', Number(port), calling, 'ECHONODE');
}

next(JSON.parse(requests));
