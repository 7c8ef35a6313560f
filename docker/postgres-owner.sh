#!/bin/bash
# Run once by the PostgreSQL image when its volume is empty: the database and the role that owns it, which may make
# the application's role but is no superuser.
set -euo pipefail
psql --username postgres --set password="$(cat /keys/database_password)" <<'SQL'
CREATE ROLE escrow_owner LOGIN CREATEROLE PASSWORD :'password';
ALTER ROLE escrow_owner SET createrole_self_grant = 'set, inherit';
CREATE DATABASE escrow OWNER escrow_owner;
SQL
