// Certificates for servers of a test, by no authority that anybody knows.
import { spawnSync } from "node:child_process";
import { X509Certificate, createHash } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDER } from "./environment.mjs";

/** A key, and a certificate for `name` and loopback that it signed itself, in PEM form and as files. */
export function certificate(name) {
  const folder = mkdtempSync(join(FOLDER, "tls-"));
  const files = { key: join(folder, "key.pem"), cert: join(folder, "cert.pem") };
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const about = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name},IP:127.0.0.1`, "-days", "1"];
  const place = ["-keyout", files.key, "-out", files.cert];
  const { status, stderr, error } = spawnSync("openssl", [...request, ...about, ...place], { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl made no certificate: ${error?.message ?? stderr}`);
  return { key: readFileSync(files.key), cert: readFileSync(files.cert), files };
}

/** What has a browser of a test's own believe this certificate, and no other that it does not know. */
export function trusting({ cert }) {
  const key = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
  return `--ignore-certificate-errors-spki-list=${createHash("sha256").update(key).digest("base64")}`;
}
