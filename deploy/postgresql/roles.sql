-- Two roles for a node on PostgreSQL: echonode_owner makes and changes the tables, echonode_service
-- is what the node runs as. It may add to the audit and read it, and change nothing that is there:
-- the server itself refuses.
--
-- Run as a superuser in the node's database, once before the first `echonode db upgrade` and again
-- after every upgrade; running it twice does no harm:
--
--     psql -v ON_ERROR_STOP=1 -d echonode -f roles.sql
--
-- Then give the two roles their passwords (\password echonode_service), run `echonode db upgrade`
-- with a database_url of echonode_owner, and everything else with one of echonode_service.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['echonode_owner', 'echonode_service'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        END IF;
    END LOOP;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, echonode_service;
GRANT USAGE, CREATE ON SCHEMA public TO echonode_owner;
GRANT USAGE ON SCHEMA public TO echonode_service;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO echonode_service;

DO $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        CASE found.tablename
            WHEN 'audit_event', 'audit_seal' THEN
                EXECUTE format('GRANT SELECT, INSERT ON %I TO echonode_service', found.tablename);
            WHEN 'alembic_version' THEN
                EXECUTE format('GRANT SELECT ON %I TO echonode_service', found.tablename);
            ELSE
                EXECUTE format(
                    'GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO echonode_service',
                    found.tablename
                );
        END CASE;
    END LOOP;
END
$$;
