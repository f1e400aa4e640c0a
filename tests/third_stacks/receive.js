// node receive.js PORT FOLDER: takes every class it is offered, and writes each instance as a file.
const path = require('path');
const { Scp, Server } = require('dcmjs-dimse');
const { CEchoResponse, CStoreResponse } = require('dcmjs-dimse').responses;
const { PresentationContextResult, Status, TransferSyntax } = require('dcmjs-dimse').constants;

const [port, folder] = process.argv.slice(2);
let received = 0;

class Archive extends Scp {
  associationRequested(association) {
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id);
      const offered = context.getTransferSyntaxUids();
      const explicit = TransferSyntax.ExplicitVRLittleEndian;
      const syntax = offered.includes(explicit) ? explicit : offered[0];
      context.setResult(PresentationContextResult.Accept, syntax);
    }
    this.sendAssociationAccept();
  }

  cEchoRequest(request, callback) {
    callback(CEchoResponse.fromRequest(request));
  }

  cStoreRequest(request, callback) {
    const response = CStoreResponse.fromRequest(request);
    received += 1;
    request.getDataset().toFile(path.join(folder, `${received}.dcm`), (error) => {
      response.setStatus(error ? Status.ProcessingFailure : Status.Success);
      callback(response);
    });
  }

  associationReleaseRequested() {
    this.sendAssociationReleaseResponse();
  }
}

const server = new Server(Archive);
server.on('networkError', (error) => console.error('networkError', error));
server.listen(Number(port));
