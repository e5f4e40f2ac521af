/**
 * Makes the replica set and a user per service in the mongod of docker-compose.yml. It shares mongod's network, since the
 * first user can be made from the server's own loopback only. Idempotent.
 */
import { preparePlatform } from "@trainyard/local";
import { stateDir } from "../state-dir.ts";

const platform = await preparePlatform(stateDir());
await platform.prepareMongod();
process.stdout.write("replica set and database users are in place\n");
