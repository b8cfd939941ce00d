"""The local twin: ``template.yaml`` on a cloud, a database and an exchange of this machine."""
